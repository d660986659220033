//! Leaves of `host.js`: time, timers, text in bytes, URLs, inputs and outputs, and what reaches through the hatch.

use url::Url;

use super::{Arguments, Native};
use crate::heap::{Kind, Pause, Result, Signal};
use crate::value::Value;
use crate::vm::{Realm, Timing, Vm, Zone};

const fn leaf(name: &'static str, leaf: super::Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

/// Where time begins that is derived from fuel, in milliseconds since 1970: 2026-01-01.
const START: f64 = 1_767_225_600_000.0;

pub(super) const NATIVES: &[Native] = &[
    leaf("keepConsole", |vm, a| {
        let state = a.get(vm, 0);
        vm.set_realm(Realm::CONSOLE, state);
        Ok(state)
    }),
    leaf("isLibrary", |vm, a| {
        let value = a.get(vm, 0);
        Ok(Value::boolean(value.is_native() || vm.heap.is_kind(value, Kind::NativeFunction)))
    }),
    leaf("slice", |vm, a| {
        let (text, from, to) = (a.get(vm, 0), a.get(vm, 1), a.get(vm, 2));
        let length = vm.heap.string_length(text.payload());
        let place = |value: Value| value.as_number().unwrap_or(0.0).clamp(0.0, f64::from(length)) as u32;
        let (from, to) = (place(from), place(to));
        vm.heap.substring(text.payload(), from.min(to), to).map(Value::string)
    }),
    leaf("replaceLines", |vm, a| {
        // (text, indentation): the lines after the first one, indented.
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        let indentation = vm.heap.text(a.get(vm, 1).payload())?;
        let lines = text.matches('\n').count() as u64;
        vm.charge((text.len() as u64 + lines * indentation.len() as u64) / 16)?;
        vm.heap.string(&text.replace('\n', &format!("\n{indentation}"))).map(Value::string)
    }),
    leaf("fixed", |vm, a| {
        let digits = a.get(vm, 1).as_int().unwrap_or(0).clamp(0, 20) as usize;
        let text = format!("{:.digits$}", a.get(vm, 0).as_number().unwrap_or(0.0));
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("stackText", |vm, a| {
        let error = vm.object_cell(a.get(vm, 0))?;
        let text = if vm.heap.is(error, Kind::Error) { vm.stack_text(error)? } else { String::new() };
        vm.heap.string(&text).map(Value::string)
    }),
    // Milliseconds since the cell began, with what timers skipped.
    leaf("elapsed", |vm, _| {
        let micros = vm.micros();
        vm.host.timing.read = micros;
        Ok(Value::number(micros as f64 / 1000.0))
    }),
    // Milliseconds since the cell began as timers count them.
    leaf("timerNow", |vm, _| Ok(Value::number(vm.timer_micros() as f64 / 1000.0))),
    leaf("wallClock", |vm, _| vm.now().map(Value::number)),
    leaf("timers", |vm, _| {
        let list = vm.realm(Realm::TIMERS);
        if vm.heap.is_kind(list, Kind::Array) {
            return Ok(list);
        }
        let list = Value::object(vm.array_of(&[])?);
        vm.set_realm(Realm::TIMERS, list);
        Ok(list)
    }),
    leaf("skipTo", |vm, a| {
        let due = (a.get(vm, 0).as_number().unwrap_or(0.0) * 1000.0).clamp(0.0, 9e15) as u64;
        let now = vm.micros();
        vm.host.skipped = vm.host.skipped.saturating_add(due.saturating_sub(now));
        vm.host.timing.due = due;
        vm.host.timing.ran = vm.micros();
        Ok(Value::UNDEFINED)
    }),
    leaf("base64", |vm, a| {
        let units = vm.heap.units(a.get(vm, 0).payload())?;
        vm.charge(units.len() as u64 / 8)?;
        let bytes: Option<Vec<u8>> = units.iter().map(|&unit| u8::try_from(unit).ok()).collect();
        match bytes {
            Some(bytes) => {
                vm.heap.string8(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes).as_bytes()).map(Value::string)
            }
            None => Ok(Value::UNDEFINED),
        }
    }),
    leaf("unbase64", |vm, a| {
        use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
        const FORGIVING: GeneralPurpose = GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
        );
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        vm.charge(text.len() as u64 / 8)?;
        let text: String = text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\n' | '\u{c}' | '\r')).collect();
        let padded = text.ends_with('=');
        if padded && !text.len().is_multiple_of(4) {
            return Ok(Value::UNDEFINED);
        }
        match base64::Engine::decode(&FORGIVING, text) {
            Ok(bytes) => vm.heap.string8(&bytes).map(Value::string),
            Err(_) => Ok(Value::UNDEFINED),
        }
    }),
    leaf("utf8Length", |vm, a| {
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        vm.charge(text.len() as u64 / 16)?;
        Ok(Value::unsigned(text.len() as u32))
    }),
    leaf("utf8Write", |vm, a| {
        // (text, Uint8Array): as many whole characters as fit; the bytes written.
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        vm.charge(text.len() as u64 / 16)?;
        let array = a.get(vm, 1).payload();
        let room = super::typed::length(vm, array) as usize;
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        super::typed::write(vm, array, &text.as_bytes()[..end]);
        Ok(Value::unsigned(end as u32))
    }),
    leaf("utf8Units", |vm, a| {
        // (Uint8Array, bytes): UTF-16 units that the first bytes stand for.
        let bytes = super::typed::read(vm, a.get(vm, 0).payload());
        let end = (a.get(vm, 1).as_number().unwrap_or(0.0) as usize).min(bytes.len());
        Ok(Value::unsigned(String::from_utf8_lossy(&bytes[..end]).encode_utf16().count() as u32))
    }),
    leaf("encodingOf", |vm, a| {
        let label = vm.heap.text(a.get(vm, 0).payload())?;
        Ok(Value::int(match label.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "unicode-1-1-utf-8" => 0,
            "utf-16le" | "utf-16" | "ucs-2" | "unicode" => 1,
            "latin1" | "iso-8859-1" | "windows-1252" | "ascii" | "us-ascii" | "l1" | "iso8859-1" | "cp1252" => 2,
            _ => -1,
        }))
    }),
    leaf("decode", decode),
    leaf("urlParse", |vm, a| {
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        let base = vm.heap.text(a.get(vm, 1).payload())?;
        charge_url(vm, text.len() + base.len())?;
        let url = if a.get(vm, 2) == Value::TRUE { Url::parse(&base).and_then(|base| base.join(&text)) } else { Url::parse(&text) };
        match url {
            Ok(url) => vm.heap.string(url.as_str()).map(Value::string),
            Err(_) => Ok(Value::UNDEFINED),
        }
    }),
    leaf("urlPart", |vm, a| {
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        charge_url(vm, text.len())?;
        let Ok(url) = Url::parse(&text) else { return vm.heap.string("").map(Value::string) };
        let part = match a.get(vm, 1).as_int().unwrap_or(0) {
            1 => url::quirks::protocol(&url).to_owned(),
            2 => url::quirks::username(&url).to_owned(),
            3 => url::quirks::password(&url).to_owned(),
            4 => url::quirks::host(&url).to_owned(),
            5 => url::quirks::hostname(&url).to_owned(),
            6 => url::quirks::port(&url).to_owned(),
            7 => url::quirks::pathname(&url).to_owned(),
            8 => url::quirks::search(&url).to_owned(),
            9 => url::quirks::hash(&url).to_owned(),
            10 => url::quirks::origin(&url),
            _ => text,
        };
        vm.heap.string(&part).map(Value::string)
    }),
    leaf("urlSet", |vm, a| {
        // (URL's text, part, value): the new text; undefined if it would be none.
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        let value = vm.heap.text(a.get(vm, 2).payload())?;
        charge_url(vm, text.len() + value.len())?;
        let Ok(mut url) = Url::parse(&text) else { return Ok(Value::UNDEFINED) };
        let done = match a.get(vm, 1).as_int().unwrap_or(0) {
            0 => url::quirks::set_href(&mut url, &value).map_err(|_| ()),
            1 => url::quirks::set_protocol(&mut url, &value),
            2 => url::quirks::set_username(&mut url, &value),
            3 => url::quirks::set_password(&mut url, &value),
            4 => url::quirks::set_host(&mut url, &value),
            5 => url::quirks::set_hostname(&mut url, &value),
            6 => url::quirks::set_port(&mut url, &value),
            7 => {
                url::quirks::set_pathname(&mut url, &value);
                Ok(())
            }
            8 => {
                url::quirks::set_search(&mut url, &value);
                Ok(())
            }
            _ => {
                url::quirks::set_hash(&mut url, &value);
                Ok(())
            }
        };
        if done.is_err() {
            return Ok(Value::UNDEFINED);
        }
        vm.heap.string(url.as_str()).map(Value::string)
    }),
    leaf("formDecode", |vm, a| {
        let text = vm.heap.text(a.get(vm, 0).payload())?;
        charge_url(vm, text.len())?;
        let text = text.strip_prefix('?').unwrap_or(&text);
        let mut list = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            list.push(Value::string(vm.heap.string(&name)?));
            list.push(Value::string(vm.heap.string(&value)?));
        }
        vm.array_of(&list).map(Value::object)
    }),
    leaf("formEncode", |vm, a| {
        let list = a.get(vm, 0).payload();
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        let length = vm.heap.array_length(list);
        vm.charge(u64::from(length))?;
        let mut held = 0;
        for i in (0..length / 2 * 2).step_by(2) {
            let (name, value) = (vm.heap.dense(list, i), vm.heap.dense(list, i + 1));
            if name.is_string() && value.is_string() {
                let (name, value) = (vm.heap.text(name.payload())?, vm.heap.text(value.payload())?);
                held += name.len() + value.len();
                charge_url(vm, name.len() + value.len())?;
                vm.heap.scratch(held * 4)?;
                out.append_pair(&name, &value);
            }
        }
        vm.heap.string(&out.finish()).map(Value::string)
    }),
    leaf("randomFill", |vm, a| {
        // (typed array): eight bytes a call, since every question to the host is an instruction of its own.
        let array = a.get(vm, 0).payload();
        let bits = vm.random_bits()?.to_le_bytes();
        super::typed::write(vm, array, &bits);
        Ok(Value::UNDEFINED)
    }),
    leaf("hostIsKnown", |vm, a| Ok(Value::boolean(vm.host_is_known(a.get(vm, 0))))),
    leaf("operateHost", |vm, a| vm.operate_host(a)),
    leaf("inputNames", |vm, _| {
        let names: Vec<String> = vm.host.inputs.iter().map(|input| input.name.clone()).collect();
        let mut list = Vec::new();
        for name in names {
            list.push(Value::string(vm.heap.string(&name)?));
        }
        vm.array_of(&list).map(Value::object)
    }),
    leaf("inputText", |vm, a| match named_input(vm, a.get(vm, 0))? {
        Some(bytes) => {
            vm.charge(bytes.len() as u64 / 16)?;
            vm.heap.string(&String::from_utf8_lossy(&bytes)).map(Value::string)
        }
        None => Ok(Value::UNDEFINED),
    }),
    leaf("inputBytes", |vm, a| {
        // (name, array): fills the array, or tells the length when there is none.
        let Some(bytes) = named_input(vm, a.get(vm, 0))? else { return Ok(Value::UNDEFINED) };
        let target = a.get(vm, 1);
        if vm.heap.is_kind(target, Kind::TypedArray) {
            vm.charge(bytes.len() as u64 / 64)?;
            super::typed::write(vm, target.payload(), &bytes);
        }
        Ok(Value::unsigned(bytes.len() as u32))
    }),
    leaf("give", |vm, a| {
        // (0 output, 1 state; text or bytes)
        let data = a.get(vm, 1);
        let bytes = if vm.heap.is_kind(data, Kind::TypedArray) {
            super::typed::read(vm, data.payload())
        } else {
            vm.heap.text(data.payload())?.into_bytes()
        };
        vm.charge(bytes.len() as u64 / 64)?;
        let state = a.get(vm, 0) == Value::int(1);
        let held = if state { 0 } else { vm.host.output.len() as u64 };
        if held + bytes.len() as u64 > vm.host.most_output {
            return Err(Signal::Stop(Pause::Output));
        }
        if state {
            vm.host.kept = Some(bytes);
        } else {
            vm.host.output.extend_from_slice(&bytes);
        }
        Ok(Value::UNDEFINED)
    }),
    leaf("rejected", |vm, a| {
        // A promise was rejected and nobody listens yet.
        let promise = a.get(vm, 0);
        let list = vm.realm(Realm::REJECTIONS);
        if vm.heap.is_kind(list, Kind::Array) {
            vm.heap.array_push(list.payload(), promise)?;
        } else {
            let list = vm.array_of(&[promise])?;
            vm.set_realm(Realm::REJECTIONS, Value::object(list));
        }
        Ok(Value::UNDEFINED)
    }),
];

/// Work on a URL: in proportion to its length, punycode and percent signs included.
fn charge_url(vm: &mut Vm<'_>, length: usize) -> Result<()> {
    vm.charge(length as u64 * 2 + 64)?;
    // Every byte may become three, in the address and in what is made of it.
    vm.heap.scratch(length * 4)
}

/// The bytes of an input, or of the state for undefined.
fn named_input(vm: &mut Vm<'_>, name: Value) -> Result<Option<std::sync::Arc<[u8]>>> {
    if !name.is_string() {
        return Ok(vm.host.state.clone());
    }
    let name = vm.heap.text(name.payload())?;
    Ok(vm.host.inputs.iter().find(|input| input.name == name).map(|input| input.bytes.clone()))
}

/// (bytes, encoding, fatal, what is left of the last piece, more comes): [text, what is left]; undefined for an error.
fn decode(vm: &mut Vm<'_>, a: Arguments) -> Result<Value> {
    let mut bytes: Vec<u8> = vm.heap.units(a.get(vm, 3).payload())?.iter().map(|&unit| unit as u8).collect();
    bytes.extend(super::typed::read(vm, a.get(vm, 0).payload()));
    vm.charge(bytes.len() as u64 / 8)?;
    vm.heap.scratch(bytes.len() * 3)?;
    let (fatal, more) = (a.get(vm, 2) == Value::TRUE, a.get(vm, 4) == Value::TRUE);
    let mut left: &[u8] = &[];
    let text = match a.get(vm, 1).as_int().unwrap_or(0) {
        0 => {
            if more && let Some(cut) = unfinished(&bytes) {
                left = &bytes[cut..];
            }
            let whole = &bytes[..bytes.len() - left.len()];
            match std::str::from_utf8(whole) {
                Ok(text) => vm.heap.string(text)?,
                Err(_) if fatal => return Ok(Value::UNDEFINED),
                Err(_) => vm.heap.string(&String::from_utf8_lossy(whole))?,
            }
        }
        1 => {
            let odd = bytes.len() % 2;
            if more {
                left = &bytes[bytes.len() - odd..];
            }
            let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
            let mut out = String::new();
            for c in char::decode_utf16(units) {
                match c {
                    Ok(c) => out.push(c),
                    Err(_) if fatal => return Ok(Value::UNDEFINED),
                    Err(_) => out.push('\u{fffd}'),
                }
            }
            if odd == 1 && !more {
                if fatal {
                    return Ok(Value::UNDEFINED);
                }
                out.push('\u{fffd}');
            }
            vm.heap.string(&out)?
        }
        _ => {
            // What the label latin1 means: windows-1252.
            const UPPER: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
            let upper: Vec<char> = UPPER.chars().collect();
            let out: String = bytes
                .iter()
                .map(|&byte| if (0x80..0xa0).contains(&byte) { upper[usize::from(byte) - 0x80] } else { char::from(byte) })
                .collect();
            vm.heap.string(&out)?
        }
    };
    let left = vm.heap.string8(left)?;
    vm.array_of(&[Value::string(text), Value::string(left)]).map(Value::object)
}

/// Where a character begins that the text's end cuts.
fn unfinished(bytes: &[u8]) -> Option<usize> {
    let end = bytes.len();
    (1..=3.min(end)).map(|back| end - back).find_map(|at| {
        let length = match bytes[at] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => return None,
            _ => return Some(None),
        };
        Some((at + length > end).then_some(at))
    })?
}

impl Vm<'_> {
    /// Microseconds since the cell began: one for each unit of fuel, and what timers skipped.
    pub(crate) fn micros(&self) -> u64 {
        let slice = self.slice.saturating_sub(self.fuel).max(0) as u64;
        self.spent.saturating_add(slice).saturating_add(self.host.skipped)
    }

    /// Microseconds since the cell began for timers: from when the last one was due it goes on at the pace of a real engine,
    /// so that timers run in the order in which they would there. A guest that has read the time goes on from there.
    pub(crate) fn timer_micros(&self) -> u64 {
        const UNITS_A_MICROSECOND: u64 = 64;
        let Timing { due, ran, read } = self.host.timing;
        due.saturating_add(self.micros().saturating_sub(ran) / UNITS_A_MICROSECOND).max(read)
    }

    /// Sixty-four random bits: the host's if it offers any, else from the cell's own generator (xorshift64*), seeded alike in every cell.
    pub(crate) fn random_bits(&mut self) -> Result<u64> {
        if !self.host.entropy {
            let mut x = self.random;
            x ^= x >> 12;
            x ^= x << 25;
            x ^= x >> 27;
            self.random = x;
            return Ok(x.wrapping_mul(0x2545_f491_4f6c_dd1d));
        }
        let answer = self.ask(|_| {
            let target = cell::Target::Offer(cell::RANDOM.to_owned());
            Ok(cell::HatchCall {
                target,
                operation: cell::Operation::Call,
                arguments: vec![cell::Argument::Value(cell::Value::integer(8))],
                block: None,
            })
        })?;
        let bytes = if self.heap.is_kind(answer, Kind::TypedArray) { super::typed::read(self, answer.payload()) } else { Vec::new() };
        match bytes.first_chunk() {
            Some(bytes) => Ok(u64::from_le_bytes(*bytes)),
            None => self.type_error("the offer `random` must answer with as many bytes as it is asked for"),
        }
    }

    /// Milliseconds since 1970: by the host's clock if it offers one, else from fuel.
    pub(crate) fn now(&mut self) -> Result<f64> {
        if !self.host.clock {
            let micros = self.micros();
            self.host.timing.read = micros;
            return Ok(START + (micros / 1000) as f64);
        }
        let nanos = self.ask(|_| {
            let target = cell::Target::Offer(cell::CLOCK.to_owned());
            Ok(cell::HatchCall { target, operation: cell::Operation::Call, arguments: Vec::new(), block: None })
        })?;
        let nanos =
            if nanos.is_bigint() { self.heap.bigint_value(nanos.payload()).to_f64().value() } else { nanos.as_number().unwrap_or(0.0) };
        Ok((nanos / 1e6).floor() + (self.host.skipped / 1000) as f64)
    }

    /// Minutes by which local time is ahead of UTC at a time in milliseconds since 1970: by the host's zone if it offers one.
    pub(crate) fn zone(&mut self, time: f64) -> Result<i32> {
        match self.host.zone {
            Zone::Utc => return Ok(0),
            Zone::Fixed(minutes) => return Ok(minutes),
            Zone::Asked => {}
        }
        let answer = self.ask(|_| {
            let target = cell::Target::Offer(crate::ZONE.to_owned());
            let time = cell::Argument::Value(cell::Value::Float(time));
            Ok(cell::HatchCall { target, operation: cell::Operation::Call, arguments: vec![time], block: None })
        })?;
        match answer.as_number().and_then(Zone::fixed) {
            Some(Zone::Fixed(minutes)) => Ok(minutes),
            _ => self.type_error("the offer `zone` must answer with whole minutes by which local time is ahead of UTC, fewer than a day's"),
        }
    }

    /// The first rejection that nobody has handled by now; the list is empty afterwards.
    pub(crate) fn unhandled_rejection(&mut self) -> Option<Value> {
        let list = self.realm(Realm::REJECTIONS);
        if !self.heap.is_kind(list, Kind::Array) {
            return None;
        }
        self.set_realm(Realm::REJECTIONS, Value::UNDEFINED);
        (0..self.heap.array_length(list.payload())).map(|i| self.heap.dense(list.payload(), i)).find_map(|promise| {
            let pending = self.heap.is_kind(promise, Kind::Promise) && self.heap.value(promise.payload() + 40) != Value::TRUE;
            pending.then(|| self.heap.value(promise.payload() + 24))
        })
    }

    /// Appends a job to the queue: a function and three arguments.
    pub(crate) fn enqueue(&mut self, job: &[Value]) -> Result<()> {
        let jobs = self.realm(Realm::JOBS);
        let job = Value::object(self.array_of(job)?);
        if self.heap.is_kind(jobs, Kind::Array) {
            self.heap.array_push(jobs.payload(), job)?;
        } else {
            let queue = self.array_of(&[job])?;
            self.set_realm(Realm::JOBS, Value::object(queue));
        }
        Ok(())
    }

    /// A proxy object.
    pub(crate) fn new_proxy(&mut self, target: Value, handler: Value) -> Result<Value> {
        let shape = self.heap.root_shape(0, Kind::Proxy, 0)?;
        let object = self.heap.object(Kind::Proxy, shape)?;
        self.heap.set_value(object + 16, target);
        self.heap.set_value(object + 24, handler);
        self.heap.set_value(object + 32, Value::UNDEFINED);
        let callable = if self.is_callable(target) { crate::heap::flag::CALLABLE } else { 0 };
        self.heap.set_flags(object, crate::heap::flag::EXOTIC | callable);
        Ok(Value::object(object))
    }
}
