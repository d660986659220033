//! Conversions that call no script, and the tests on values that need the heap.

use std::cmp::Ordering;

use dashu_int::IBig;

use crate::heap::string::Key;
use crate::heap::{Kind, Result, atoms};
use crate::library::Helper;
use crate::number;
use crate::value::Value;
use crate::vm::{Fault, Realm, Vm};

#[allow(clippy::wrong_self_convention, reason = "named after the operations of the specification")]
impl<'a> Vm<'a> {
    /// ToBoolean.
    pub(crate) fn truth(&self, x: Value) -> bool {
        if let Some(n) = x.as_number() {
            return n != 0.0 && !n.is_nan();
        }
        if x.is_string() {
            return self.heap.string_length(x.payload()) != 0;
        }
        if x.is_bigint() {
            return self.heap.high(x.payload()) != 0;
        }
        !(x.is_nullish() || x == Value::FALSE || x.is_hole() || x.is_uninitialised())
    }

    /// `typeof`, as a name.
    pub(crate) fn type_of(&self, x: Value) -> u32 {
        if x.is_number() {
            atoms::NUMBER
        } else if x.is_string() {
            atoms::STRING
        } else if x.is_boolean() {
            atoms::BOOLEAN
        } else if x.is_undefined() {
            atoms::UNDEFINED
        } else if x.is_symbol() {
            atoms::SYMBOL
        } else if x.is_bigint() {
            atoms::BIGINT
        } else if self.is_callable(x) {
            atoms::FUNCTION
        } else {
            atoms::OBJECT
        }
    }

    /// ToNumber of a primitive.
    pub(crate) fn to_number_primitive(&mut self, x: Value) -> Result<f64> {
        if let Some(n) = x.as_number() {
            return Ok(n);
        }
        if x.is_string() {
            let length = self.heap.string_length(x.payload());
            if length > 64 {
                self.charge(u64::from(length / 16))?;
            }
            let flat = self.heap.flat(x.payload())?;
            if let Some(index) = self.heap.string_index(flat) {
                return Ok(f64::from(index));
            }
            let text = self.heap.text(x.payload())?;
            return Ok(number::parse(&text));
        }
        if x == Value::TRUE {
            return Ok(1.0);
        }
        if x.is_undefined() {
            return Ok(f64::NAN);
        }
        if x.is_symbol() {
            return self.type_error("Cannot convert a Symbol value to a number");
        }
        if x.is_bigint() {
            return self.type_error("Cannot convert a BigInt value to a number");
        }
        Ok(0.0)
    }

    /// ToNumeric of a primitive.
    pub(crate) fn to_numeric_primitive(&mut self, x: Value) -> Result<Value> {
        if x.is_number() || x.is_bigint() { Ok(x) } else { self.to_number_primitive(x).map(Value::number) }
    }

    /// ToString of a primitive.
    pub(crate) fn to_string_primitive(&mut self, x: Value) -> Result<u32> {
        if x.is_string() {
            return Ok(x.payload());
        }
        if let Some(i) = x.as_int() {
            if i >= 0 {
                return self.heap.index_string(i as u32);
            }
            return self.heap.string(&i.to_string());
        }
        if let Some(n) = x.as_number() {
            return self.heap.string(&number::to_text(n));
        }
        if x == Value::TRUE {
            return Ok(atoms::TRUE);
        }
        if x == Value::FALSE {
            return Ok(atoms::FALSE);
        }
        if x == Value::NULL {
            return Ok(atoms::NULL);
        }
        if x.is_symbol() {
            return self.type_error("Cannot convert a Symbol value to a string");
        }
        if x.is_bigint() {
            let words = u64::from(self.heap.high(x.payload()));
            self.charge(words.saturating_mul(words) / 8)?;
            let n = self.heap.bigint_value(x.payload());
            return self.heap.string(&n.to_string());
        }
        Ok(atoms::UNDEFINED)
    }

    /// ToPropertyKey of a primitive.
    pub(crate) fn to_key_primitive(&mut self, x: Value) -> Result<Key> {
        if let Some(index) = x.as_index() {
            return Ok(Key::Index(index));
        }
        if x.is_symbol() {
            return Ok(Key::Name(x.payload()));
        }
        let string = self.to_string_primitive(x)?;
        self.heap.string_key(string)
    }

    /// ToObject.
    pub(crate) fn to_object(&mut self, x: Value) -> Result<Value> {
        if x.is_object() {
            return Ok(x);
        }
        let proto = if x.is_number() {
            Realm::NUMBER_PROTOTYPE
        } else if x.is_string() {
            Realm::STRING_PROTOTYPE
        } else if x.is_boolean() {
            Realm::BOOLEAN_PROTOTYPE
        } else if x.is_symbol() {
            Realm::SYMBOL_PROTOTYPE
        } else if x.is_bigint() {
            Realm::BIGINT_PROTOTYPE
        } else {
            return self.type_error("Cannot convert undefined or null to object");
        };
        let proto = self.realm_cell(proto);
        self.wrapper(x, proto)
    }

    /// A wrapper object of a primitive with this prototype.
    pub(crate) fn wrapper(&mut self, x: Value, proto: u32) -> Result<Value> {
        let shape = self.heap.root_shape(proto, Kind::Wrapper, 0)?;
        let object = self.heap.object(Kind::Wrapper, shape)?;
        self.heap.set_value(object + 16, x);
        if x.is_string() {
            self.heap.set_flags(object, crate::heap::flag::EXOTIC);
        }
        Ok(Value::object(object))
    }

    /// The prototype that property lookups on a primitive start at.
    pub(crate) fn primitive_prototype(&mut self, x: Value) -> Option<u32> {
        Some(self.realm_cell(if x.is_string() {
            Realm::STRING_PROTOTYPE
        } else if x.is_number() {
            Realm::NUMBER_PROTOTYPE
        } else if x.is_boolean() {
            Realm::BOOLEAN_PROTOTYPE
        } else if x.is_symbol() {
            Realm::SYMBOL_PROTOTYPE
        } else if x.is_bigint() {
            Realm::BIGINT_PROTOTYPE
        } else {
            return None;
        }))
    }

    /// Compares a big integer with another primitive. `None`: unordered.
    pub(crate) fn order_with_bigint(&mut self, x: Value, y: Value) -> Result<Option<Ordering>> {
        if x.is_bigint() && y.is_bigint() {
            return Ok(Some(self.heap.bigint_value(x.payload()).cmp(&self.heap.bigint_value(y.payload()))));
        }
        if !x.is_bigint() {
            return Ok(self.order_with_bigint(y, x)?.map(Ordering::reverse));
        }
        let big = self.heap.bigint_value(x.payload());
        if y.is_string() {
            let text = self.heap.text(y.payload())?;
            return Ok(parse_bigint(&text).map(|other| big.cmp(&other)));
        }
        let n = self.to_number_primitive(y)?;
        if n.is_nan() {
            return Ok(None);
        }
        if n.is_infinite() {
            return Ok(Some(if n > 0.0 { Ordering::Less } else { Ordering::Greater }));
        }
        let Ok(whole) = IBig::try_from(n.trunc()) else { return Ok(None) };
        Ok(Some(big.cmp(&whole).then_with(|| 0.0.partial_cmp(&n.fract()).unwrap_or(Ordering::Equal))))
    }

    /// Throws the ReferenceError of a binding in its temporal dead zone.
    pub(crate) fn uninitialised<T>(&mut self, name: u32) -> Result<T> {
        let text = self.heap.text(name)?;
        if text == "this" {
            return self.fail(
                Fault::Reference,
                "Must call super constructor in derived class before accessing 'this' or returning from derived constructor",
            );
        }
        self.fail(Fault::Reference, &format!("Cannot access '{text}' before initialization"))
    }

    /// `instanceof`.
    pub(crate) fn instance_of(&mut self, x: Value, class: Value) -> Result<Value> {
        if !class.is_object() {
            return self.type_error("Right-hand side of 'instanceof' is not an object");
        }
        self.help(Helper::InstanceOf, &[x, class])
    }

    /// Calls a self-hosted helper: pushes its frame, so the answer is [`crate::heap::Signal::Called`].
    pub(crate) fn help(&mut self, helper: Helper, arguments: &[Value]) -> Result<Value> {
        let native = self.helper(helper);
        self.call(native, Value::UNDEFINED, arguments)
    }
}

/// StringToBigInt.
pub(crate) fn parse_bigint(text: &str) -> Option<IBig> {
    let text = text.trim_matches(number::is_space);
    if text.is_empty() {
        return Some(IBig::ZERO);
    }
    let lower = text.as_bytes().get(1).map_or(0, |b| b | 0x20);
    if text.starts_with('0') && matches!(lower, b'x' | b'o' | b'b') {
        let radix = match lower {
            b'x' => 16,
            b'o' => 8,
            _ => 2,
        };
        let digits = &text[2..];
        if digits.starts_with(['+', '-']) || digits.contains('_') {
            return None;
        }
        return IBig::from_str_radix(digits, radix).ok();
    }
    if text.contains('_') {
        return None;
    }
    text.parse().ok()
}
