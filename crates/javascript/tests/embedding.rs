//! The cell from the outside: values both ways, objects and functions lent, promises, modules, many runs in one cell.

use std::sync::{Arc, Mutex};

use cell::{Argument, Bound, Call, Cell, GuestError, HostObject, HostResult, IBig, Limits, Offer, Operation, Stop, Task, Ticket, Value};
use javascript::{JavaScript, Options};

fn cell() -> Cell<JavaScript> {
    with(Options::default())
}

fn with(options: Options) -> Cell<JavaScript> {
    let limits = Limits { wall: Bound::Unlimited, ..Limits::default().memory(16 << 20).fuel(100_000_000) };
    Cell::new(JavaScript::new(16 << 20).expect("room").with_options(options), limits, None).expect("a cell")
}

fn eval(cell: &mut Cell<JavaScript>, text: &str) -> Option<Value> {
    let outcome = cell.execute(&Task::program("test.js", text.as_bytes())).expect("runs");
    assert_eq!(outcome.stop, Stop::Finished(0), "{text}: {:?}", outcome.stop);
    outcome.value.map(|value| value.into_value().expect("a plain value"))
}

fn raised(cell: &mut Cell<JavaScript>, text: &str) -> GuestError {
    match cell.execute(&Task::program("test.js", text.as_bytes())).expect("runs").stop {
        Stop::Raised(error) => error,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn state_is_kept_from_run_to_run() {
    let mut cell = cell();
    eval(&mut cell, "let count = 1; function add(n) { return count += n } var v = 5; const c = 'x'");
    assert_eq!(eval(&mut cell, "add(2)"), Some(3.into()));
    assert_eq!(eval(&mut cell, "add(v) + c"), Some("8x".into()));
    assert_eq!(raised(&mut cell, "let count = 2").name, "SyntaxError");
    assert_eq!(eval(&mut cell, "count"), Some(8.into()));
    let outcome = cell.call("add", &[10.into()]).expect("calls");
    assert_eq!(outcome.value, Some(18.into()));
    assert!(cell.call("v", &[]).is_err() && cell.call("nothing", &[]).is_err());
    cell.set("v", Value::List(vec![1.into(), "two".into()])).expect("sets");
    assert_eq!(eval(&mut cell, "v[1] + v.length"), Some("two2".into()));
    assert_eq!(cell.get("c").expect("reads"), Some("x".into()));
    assert_eq!(cell.get("absent").expect("reads"), None);
}

#[test]
fn plain_values_cross_as_what_they_are() {
    let mut cell = cell();
    for (text, value) in [
        ("null", Value::Null),
        ("true", true.into()),
        ("9007199254740991", 9_007_199_254_740_991i64.into()),
        ("-0", Value::Float(-0.0)),
        ("1.5", 1.5.into()),
        ("'é\\u{1F600}'", "é😀".into()),
        ("10n ** 30n", IBig::from(10).pow(30).into()),
        ("new Uint8Array([1, 2, 255])", Value::Bytes(vec![1, 2, 255])),
        (
            "[1, [2], {a: 'b'}]",
            Value::List(vec![1.into(), Value::List(vec![2.into()]), Value::Map([("a".to_owned(), "b".into())].into_iter().collect())]),
        ),
        ("Object.freeze([1, , 2])", Value::List(vec![1.into(), Value::Null, 2.into()])),
    ] {
        assert_eq!(eval(&mut cell, &format!("({text})")), Some(value.clone()), "{text}");
        cell.set("given", value.clone()).expect("sets");
        assert_eq!(eval(&mut cell, "given"), Some(value), "{text} and back");
    }
    assert_eq!(eval(&mut cell, "undefined"), None);
    cell.set("big", IBig::from(1) << 60).expect("sets");
    assert_eq!(eval(&mut cell, "typeof big"), Some("bigint".into()));
}

struct Shop {
    sold: i64,
}

/// Counts how many of it live.
struct Counted(Arc<Mutex<i64>>);

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.lock().expect("unpoisoned") -= 1;
    }
}

impl HostObject for Counted {
    fn class(&self) -> &str {
        "Counted"
    }
    fn call(&mut self, _: &str, call: &mut Call<'_>) -> HostResult {
        *self.0.lock().expect("unpoisoned") += 1;
        call.lend(Offer::object(Counted(Arc::clone(&self.0))))
    }
    fn methods(&self) -> Vec<String> {
        vec!["more".to_owned()]
    }
}

#[test]
fn what_was_lent_is_given_back_when_the_guest_has_collected_it() {
    let living = Arc::new(Mutex::new(1));
    let mut cell = cell();
    cell.offer("root", Offer::object(Counted(Arc::clone(&living)))).expect("offered");
    eval(&mut cell, "globalThis.kept = [root.more(), root.more().more()]; let method = root.more().more; 0");
    let before = *living.lock().expect("unpoisoned");
    assert_eq!(before, 5);
    // Garbage enough for many collections; what is kept, by itself or by a method of its, stays.
    eval(
        &mut cell,
        "for (let i = 0; i < 300; i++) root.more(); let junk; for (let i = 0; i < 1e5; i++) junk = [i, { i }]; kept[0].more() && method() && 0",
    );
    let after = *living.lock().expect("unpoisoned");
    assert!((3..60).contains(&after), "{after} objects live");
    drop(cell);
    assert_eq!(*living.lock().expect("unpoisoned"), 0);
}

impl HostObject for Shop {
    fn class(&self) -> &str {
        "Shop"
    }
    fn call(&mut self, method: &str, call: &mut Call<'_>) -> HostResult {
        match method {
            "price" => Ok((call.value(0)?.as_i64().unwrap_or(0) * 2).into()),
            "sell" => {
                self.sold += 1;
                Ok(self.sold.into())
            }
            "branch" => call.lend(Offer::object(Shop { sold: 100 })),
            other => Err(GuestError::new("NoMethodError", format!("no {other}"))),
        }
    }
    fn get(&mut self, property: &str, _: &mut Call<'_>) -> HostResult {
        match property {
            "sold" => Ok(self.sold.into()),
            other => Err(GuestError::new("NoSuchProperty", format!("no {other}"))),
        }
    }
    fn set(&mut self, _: &str, value: Argument, _: &mut Call<'_>) -> HostResult {
        self.sold = value.into_value()?.as_i64().unwrap_or(0);
        Ok(Argument::default())
    }
    fn methods(&self) -> Vec<String> {
        ["price", "sell", "branch"].map(String::from).to_vec()
    }
}

#[test]
fn an_object_of_the_hosts_looks_like_one_of_the_guests() {
    let mut cell = cell();
    cell.offer("shop", Offer::object(Shop { sold: 0 })).expect("offered");
    assert_eq!(eval(&mut cell, "shop.price(21)"), Some(42.into()));
    assert_eq!(eval(&mut cell, "shop.sell(); shop.sell(); shop.sold"), Some(2.into()));
    assert_eq!(eval(&mut cell, "shop.sold = 10; shop.sell()"), Some(11.into()));
    assert_eq!(
        eval(&mut cell, "Object.keys(shop).length + [typeof shop.price, 'price' in shop, 'x' in shop].join()"),
        Some("0function,true,false".into())
    );
    assert_eq!(eval(&mut cell, "let b = shop.branch(); [b.price(1), b.sell(), b.sold].join()"), Some("2,101,101".into()));
    assert_eq!(
        eval(&mut cell, "try { shop.nothing } catch (e) { e.name + ': ' + e.message + (e instanceof Error) }"),
        Some("NoSuchProperty: no nothingtrue".into())
    );
    assert_eq!(eval(&mut cell, "const { price } = shop; price(4)"), Some(8.into()));
    assert_eq!(eval(&mut cell, "(async () => (await shop) === shop)()"), Some(true.into()));
}

#[test]
fn the_guests_functions_are_called_back_within_the_call() {
    let mut cell = cell();
    let each = |call: &mut Call<'_>| {
        let Some(Argument::Own(function)) = call.arguments.get(1).cloned() else { return Err(GuestError::new("TypeError", "a function")) };
        let Value::List(items) = call.value(0)? else { return Err(GuestError::new("TypeError", "a list")) };
        let mut sum = 0;
        for item in items {
            sum += call.call_guest(function, vec![item.into()])?.into_value()?.as_i64().unwrap_or(0);
        }
        Ok(sum.into())
    };
    cell.offer_function("each", each).expect("offered");
    cell.offer_function("inner", each).expect("offered");
    assert_eq!(eval(&mut cell, "each([1, 2, 3], x => x * 10)"), Some(60.into()));
    assert_eq!(eval(&mut cell, "each([1, 2], x => inner([x, x], y => y + 1))"), Some(10.into()));
    assert_eq!(
        eval(&mut cell, "try { each([1], () => { throw new RangeError('mine') }) } catch (e) { e.name + e.message }"),
        Some("RangeErrormine".into())
    );
    // What the guest keeps of its own stays its own.
    let outcome = cell.execute(&Task::program("f.js", *b"(x) => x + 1")).expect("runs");
    let Some(Argument::Own(function)) = outcome.value else { panic!("{:?}", outcome.value) };
    assert_eq!(cell.call_ref(function, &Operation::Call, &[41.into()]).expect("calls").value, Some(42.into()));
    cell.release(function);
    assert!(cell.call_ref(function, &Operation::Call, &[]).is_err());
}

#[test]
fn promises_wait_for_the_host_many_at_once() {
    let mut cell = cell();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&asked);
    cell.offer(
        "fetch",
        Offer::future(move |arguments| {
            sink.lock().expect("unpoisoned").push(arguments[0].clone());
            std::future::pending()
        }),
    )
    .expect("offered");
    let text = "let log = []; async function load(n) { try { log.push(await fetch(n)) } catch (e) { log.push(e.name) } }
        Promise.all([load('a'), load('b'), load('c')]).then(() => log.join())";
    let outcome = cell.execute(&Task::program("wait.js", text.as_bytes())).expect("runs");
    let Stop::Waiting(tickets) = outcome.stop else { panic!("{:?}", outcome.stop) };
    assert_eq!((tickets.len(), asked.lock().expect("unpoisoned").len()), (3, 3));
    cell.settle(tickets[1], Ok("B".into())).expect("settles");
    cell.settle(tickets[0], Err(GuestError::new("Gone", "away"))).expect("settles");
    let Stop::Waiting(left) = cell.run().expect("goes on").stop else { panic!("it must wait for the last") };
    assert_eq!(left, [tickets[2]]);
    assert!(cell.settle(Ticket(99), Ok(1.into())).is_err());
    cell.settle(tickets[2], Ok("C".into())).expect("settles");
    let outcome = cell.run().expect("goes on");
    assert_eq!((outcome.stop, outcome.value), (Stop::Finished(0), Some("B,Gone,C".into())));
}

#[test]
fn an_error_nobody_handles_ends_the_run() {
    let mut cell = cell();
    let error = raised(&mut cell, "function inner() {\n  null.x\n}\ninner()");
    assert_eq!(error.name, "TypeError");
    let frame = &error.trace[0];
    assert_eq!((frame.function.as_deref(), frame.file.as_deref(), frame.line), (Some("inner"), Some("test.js"), Some(2)));
    let wrong = raised(&mut cell, "1;\n  let = =");
    assert_eq!((wrong.name.as_str(), wrong.trace[0].line), ("SyntaxError", Some(2)));
    assert_eq!(raised(&mut cell, "Promise.reject(new Error('left'))").message, "left");
    assert_eq!(raised(&mut cell, "setTimeout(() => { throw new Error('late') }, 5)").message, "late");
    assert_eq!(raised(&mut cell, "throw 'text'").message, "text");
    assert_eq!(eval(&mut cell, "Promise.reject(1).catch(() => 'fine')"), Some("fine".into()));
}

#[test]
fn eval_and_function_can_be_switched_off() {
    let mut cell = with(Options { eval: false, ..Options::default() });
    for text in ["eval('1')", "(0, eval)('1')", "new Function('1')", "(async () => {}).constructor('1')"] {
        assert_eq!(raised(&mut cell, text).name, "EvalError", "{text}");
    }
    assert_eq!(eval(&mut cell, "eval(5)"), Some(5.into()));
}

#[test]
fn modules_come_from_the_inputs_or_from_the_host() {
    let mut cell = cell();
    cell.offer_function("import", |call| {
        Ok(match call.value(0)?.as_text() {
            Some("math") => {
                "export const two = 2; export default n => n * two; export function bump() { count++ } export let count = 0".into()
            }
            Some("bad") => "export let = ".into(),
            _ => Argument::default(),
        })
    })
    .expect("offered");
    let main = "import double, { two, count, bump } from 'math'; import * as all from 'math'; import { twice } from './lib/twice.js';
        bump(); console.log(double(4), two, count, Object.keys(all).join(), twice('x'), import.meta.url, typeof this);
        const late = await import('./lib/twice.js'); console.log(late.twice === twice, late[Symbol.toStringTag]);
        try { await import('nowhere') } catch (e) { console.log(e.message) }
        try { await import('bad') } catch (e) { console.log(e.name) }";
    let task = Task::program("main.mjs", main.as_bytes())
        .input("lib/twice.js", "import { sep } from './sep.js'; export const twice = x => x + sep + x".as_bytes())
        .input("lib/sep.js", "export let sep = '-'".as_bytes());
    let outcome = cell.execute(&task).expect("runs");
    assert_eq!(outcome.stop, Stop::Finished(0));
    assert_eq!(
        String::from_utf8_lossy(&outcome.stdout),
        "8 2 1 bump,count,default,two x-x main.mjs undefined\ntrue Module\nCannot find module 'nowhere' imported from main.mjs\nSyntaxError\n"
    );
    let error = raised(&mut with(Options { module: true, ..Options::default() }), "import { nothing } from 'x'");
    assert!(error.message.contains("Cannot find module 'x'"), "{error}");
}

#[test]
fn typescript_is_run_without_its_types() {
    let mut cell = cell();
    let outcome = cell
        .execute(&Task::program("x.ts", *b"interface A { n: number } const f = <T,>(a: T): T => a; f<number>(3 as number)"))
        .expect("runs");
    assert_eq!(outcome.value, Some(3.into()));
    let Stop::Raised(error) = cell.execute(&Task::program("y.ts", *b"enum E { A }")).expect("runs").stop else { panic!("no error") };
    assert!(error.message.to_lowercase().contains("enum"), "{error}");
}

#[test]
fn inputs_outputs_and_state_are_there() {
    let mut cell = cell();
    let task = Task::program("x.js", *b"const n = JSON.parse(cell.text('order')).n + (cell.state ? +cell.state : 0); cell.keep(String(n)); cell.output('sum ' + n); cell.output(new Uint8Array([1, 2])); cell.inputs.join()")
        .input("order", "{\"n\": 4}".as_bytes())
        .state("38".as_bytes());
    let outcome = cell.execute(&task).expect("runs");
    assert_eq!((outcome.output, outcome.state, outcome.value), (b"sum 42\x01\x02".to_vec(), Some(b"42".to_vec()), Some("order".into())));
}

#[test]
fn a_host_clock_and_host_randomness_are_used_where_offered() {
    let mut plain = cell();
    let first = eval(&mut plain, "[Date.now(), Math.random(), new Date().getFullYear()].join()");
    assert_eq!(eval(&mut cell(), "[Date.now(), Math.random(), new Date().getFullYear()].join()"), first, "the same in every cell");
    let mut cell = cell();
    let mut asked = 0u8;
    cell.offer_function(cell::RANDOM, move |call| {
        asked += 1;
        let length = call.value(0)?.as_i64().unwrap_or(0) as usize;
        Ok(Value::Bytes(vec![if asked > 2 { 7 } else { 128 }; length]).into())
    })
    .expect("offered");
    assert_eq!(eval(&mut cell, "Math.random()"), Some(((0x8080_8080_8080_8080u64 >> 11) as f64 / 9_007_199_254_740_992.0).into()));
    assert_eq!(eval(&mut cell, "Math.random() > 0.5 && Math.random() < 0.1"), Some(true.into()));
    assert_eq!(eval(&mut cell, "crypto.getRandomValues(new Uint16Array(5)).join()"), Some("1799,1799,1799,1799,1799".into()));
    assert_eq!(eval(&mut cell, "crypto.randomUUID()"), Some("07070707-0707-4707-8707-070707070707".into()));
    cell.offer_function(cell::CLOCK, |_| Ok(1_000_000_000_000_000_000i64.into())).expect("offered");
    assert_eq!(eval(&mut cell, "Date.now()"), Some(1_000_000_000_000i64.into()));
    assert_eq!(eval(&mut cell, "new Date().toISOString()"), Some("2001-09-09T01:46:40.000Z".into()));
}

#[test]
fn local_time_is_utc_unless_the_host_offers_a_zone() {
    const SHOWN: &str = "const d = new Date(Date.UTC(2024, 0, 31, 23, 30)); \
        [d.getTimezoneOffset(), d.getDate(), d.getHours(), d.getUTCHours(), String(d), new Date(2024, 0, 31, 12).toISOString(), \
         new Date('2024-07-01T12:00').toISOString(), new Date('2024-07-01').toISOString(), new Date('Jul 1, 2024 12:00').toISOString(), \
         new Date(d.setHours(0)).toISOString(), d.toJSON(), new Date('x').getTimezoneOffset()].join('|')";
    let shown = |cell: &mut Cell<JavaScript>| match eval(cell, SHOWN) {
        Some(Value::Text(text)) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        shown(&mut cell()),
        "0|31|23|23|Wed Jan 31 2024 23:30:00 GMT+0000 (Coordinated Universal Time)|2024-01-31T12:00:00.000Z|2024-07-01T12:00:00.000Z|\
         2024-07-01T00:00:00.000Z|2024-07-01T12:00:00.000Z|2024-01-31T00:30:00.000Z|2024-01-31T00:30:00.000Z|NaN"
    );
    let mut east = cell();
    east.offer("zone", Offer::value(120)).expect("offers");
    assert_eq!(
        shown(&mut east),
        "-120|1|1|23|Thu Feb 01 2024 01:30:00 GMT+0200 (GMT+02:00)|2024-01-31T10:00:00.000Z|2024-07-01T10:00:00.000Z|\
         2024-07-01T00:00:00.000Z|2024-07-01T10:00:00.000Z|2024-01-31T22:30:00.000Z|2024-01-31T22:30:00.000Z|NaN"
    );
    // A place with summer time: an hour ahead, two from the end of March to the end of October.
    let mut summer = cell();
    let ahead = |call: &mut Call<'_>| match call.value(0)? {
        Value::Float(time) => Ok(Value::from(if (1_711_846_800_000.0..1_729_990_800_000.0).contains(&time) { 120 } else { 60 }).into()),
        Value::Integer(time) => Ok(Value::from(if time > IBig::from(1_711_846_800_000i64) { 120 } else { 60 }).into()),
        other => panic!("{other:?}"),
    };
    summer.offer_function("zone", ahead).expect("offers");
    assert_eq!(
        shown(&mut summer),
        "-60|1|0|23|Thu Feb 01 2024 00:30:00 GMT+0100 (GMT+01:00)|2024-01-31T11:00:00.000Z|2024-07-01T10:00:00.000Z|\
         2024-07-01T00:00:00.000Z|2024-07-01T10:00:00.000Z|2024-01-31T23:30:00.000Z|2024-01-31T23:30:00.000Z|NaN"
    );
    assert_eq!(eval(&mut summer, "new Date(2024, 2, 31, 3).getTime() - new Date(2024, 2, 31, 1).getTime()"), Some(3_600_000.into()));
    for wrong in [Value::from(1440), Value::from(-1440), Value::Float(0.5), Value::from("CET")] {
        assert!(cell().offer("zone", Offer::value(wrong)).is_err());
    }
    let mut odd = cell();
    odd.offer_function("zone", |_| Ok(Value::from(10_000).into())).expect("offers");
    assert_eq!(raised(&mut odd, "new Date(0).getHours()").name, "TypeError");
}
