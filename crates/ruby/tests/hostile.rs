//! What hostile Ruby does, and guests that bypass our Ruby and speak to the host themselves.

mod common;

use cell::{GuestError, Stop, Value};
use common::{clock, ruby};
use ruby::{HostObject, Options, Sandbox};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn safe() -> Sandbox {
    ruby().sandbox(Options::safe()).unwrap()
}

fn full() -> Sandbox {
    ruby().sandbox(Options { boxes: true, clock: Some(clock()), ..Options::full() }).unwrap()
}

fn integer(value: i64) -> Option<Value> {
    Some(Value::integer(value))
}

/// Any bytes as a message end in a clear way: an answer, an exception, or a dead box.
#[test]
fn any_message_is_survived() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let valid: &[&[u8]] = &[
        b"a\x06\0\0\x000i\x03\0\0\0\0\0\0\0p\x01\0\0\0\0\0\0\0\0\0\0\0y\x01\0\0\0xa\0\0\0\x000",
        b"a\x06\0\0\x000i\x04\0\0\0\0\0\0\0s\x03\0\0\0ask0a\x01\0\0\0i\x01\0\0\0\0\0\0\x000",
        b"a\x04\0\0\x000i\x05\0\0\0\0\0\0\0y\x03\0\0\0newh\0\0\0\0",
        b"a\x07\0\0\x000i\x05\0\0\0\0\0\0\0y\x05\0\0\0orderi\x01\0\0\0\0\0\0\0h\0\0\0\0a\0\0\0\0a\0\0\0\0",
        b"a\x02\0\0\x000i\x06\0\0\0\0\0\0\0",
        b"a\x03\0\0\x000i\x01\0\0\0\0\0\0\x000",
    ];
    for round in 0..150 {
        let mut message = valid[round % valid.len()].to_vec();
        for _ in 0..random(4) {
            let at = random(message.len() as u64) as usize;
            message[at] = random(256) as u8;
        }
        message.truncate(message.len() - random(3) as usize);
        let mut guest = full();
        guest.set("message", message.clone()).unwrap();
        let answer = guest
            .eval("Sandbox::Glue::OUT.replace(message); 3.times { Sandbox::Glue::DOOR.to_s }; 5")
            .unwrap_or_else(|error| panic!("{message:?}: {error}"));
        match &answer.stop {
            Stop::Finished(_) | Stop::Raised(_) | Stop::OutOfMemory => assert_eq!(guest.eval("1 + 1").unwrap().value, integer(2)),
            Stop::Trapped(trap) => {
                assert_ne!(trap.kind, cell::TrapKind::Internal, "{message:?}");
                assert!(guest.dead().is_some());
            }
            other => panic!("{message:?} gave {other:?}"),
        }
    }
}

#[test]
fn forged_references_reach_nothing() {
    let mut guest = safe();
    for (index, generation) in [(0, 0), (1, 0), (0, 1), (u32::MAX, u32::MAX)] {
        let source = format!("begin; Sandbox::Ref.__make__({index}, {generation}, '1#Foo').anything; rescue Sandbox::Exception; 5; end");
        assert_eq!(guest.eval(&source).unwrap().value, integer(5));
    }
    // An object of its own by a number that it never handed out.
    let mut master = full();
    let answer = master.eval(
        "b = Sandbox.new; b.eval('Sandbox::Glue::STATE[:next] = 900')\n\
         o = b.eval('Object.new'); b.eval('Sandbox::Glue::EXPORTS.clear')\n\
         begin; o.to_s; rescue Sandbox::Exception; 6; end",
    );
    assert_eq!(answer.unwrap().value, integer(6));
}

#[test]
fn a_reference_to_a_dead_sandbox_says_so() {
    let mut master = full();
    let answer = master
        .eval(
            "b = Sandbox.new; o = b.eval('Object.new'); begin; b.eval('loop {}', fuel: 100_000); rescue Sandbox::FuelException; end\n\
             begin; o.to_s; rescue Sandbox::DeadException => e; e.message; end",
        )
        .unwrap();
    let Some(Value::Text(message)) = answer.value else { panic!("{:?}", answer.stop) };
    assert!(message.contains("dead"), "{message}");
}

#[test]
fn hidden_methods_that_are_found_again_reach_nothing() {
    for source in [
        "Sandbox::Setup::KEPT[:File].read('/etc/passwd')",
        "Sandbox::Setup::KEPT[:IO].popen('ls')",
        "Sandbox::Setup::KEPT[:Process].kill(9, 1)",
        "Sandbox::Setup::KEPT[:Process].fork",
        "Sandbox::Setup::KEPT[:Dir].children('/etc').size",
        "Sandbox::Setup::KEPT[:File].write('/tmp/x', 'y')",
    ] {
        let answer = safe().eval(source).unwrap();
        assert!(matches!(answer.stop, Stop::Raised(_)), "{source}: {:?}", answer.stop);
    }
}

#[test]
fn a_stop_for_fuel_suspends_and_nothing_of_the_box_runs_after_it_is_dropped() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let mut guest = ruby().sandbox(Options { fuel: Some(3_000_000), ..Options::full() }).unwrap();
    guest
        .offer_function("tell", move |values| {
            sink.lock().unwrap().push(values);
            Ok(Value::Null)
        })
        .unwrap();
    let source = "at_exit { tell('at_exit') }\nbegin; i = 0; i += 1 while i < 1_000_000; i; ensure; tell('ensure'); end";
    let mut answer = guest.eval(source).unwrap();
    assert_eq!(answer.stop, Stop::OutOfFuel);
    assert!(heard.lock().unwrap().is_empty());
    assert!(guest.eval("1").is_err(), "it is in the middle of an eval");
    let mut stops = 0;
    while answer.is_suspended() {
        stops += 1;
        answer = guest.go_on(20_000_000).unwrap();
    }
    assert!(stops > 1);
    assert_eq!((answer.value, heard.lock().unwrap().len()), (integer(1_000_000), 1));
    let mut dropped = ruby().sandbox(Options { fuel: Some(3_000_000), ..Options::full() }).unwrap();
    let sink = Arc::clone(&heard);
    dropped
        .offer_function("tell", move |values| {
            sink.lock().unwrap().push(values);
            Ok(Value::Null)
        })
        .unwrap();
    assert_eq!(dropped.eval(source).unwrap().stop, Stop::OutOfFuel);
    drop(dropped);
    assert_eq!(heard.lock().unwrap().len(), 1, "an ensure ran after the box was dropped");
}

#[test]
fn a_timeout_stops_what_rescues_everything() {
    let mut guest =
        ruby().sandbox(Options { timeout: Some(Duration::from_millis(100)), clock: Some(clock()), fuel: None, ..Options::safe() }).unwrap();
    let answer = guest.eval("def again = (begin; loop {}; rescue Exception; again; ensure; again; end)\nagain").unwrap();
    assert_eq!(answer.stop, Stop::OutOfTime);
}

#[test]
fn floods_and_recursion_end_clearly() {
    let mut guest = ruby().sandbox(Options { output: Some(1000), ..Options::full() }).unwrap();
    let answer = guest.eval("loop { print 'x' * 300 }").unwrap();
    assert_eq!((answer.stop, answer.stdout.len()), (Stop::OutputFull, 1000));
    assert!(guest.dead().is_some());
    for source in [
        "def r = r()\nr",
        "a = []; a << a; a.flatten",
        "h = {}; h[:h] = h; h.to_s.size; x = []; 100_000.times { x = [x] }; x.inspect",
        "eval('(' * 100_000)",
        "Regexp.new('(' * 50_000 + ')' * 50_000)",
        "define_method(:x) { x } rescue nil; p = proc { |q| q.call(q) }; p.call(p)",
        "Fiber.new { Fiber.new { loop { Fiber.yield } }.resume; raise 'x' }.resume",
        "'a'.instance_variable_set(:@x, 1); Array.new(1 << 26) { |i| i }; 'x'.send(:initialize, 'y' * (1 << 28))",
        "ObjectSpace.each_object(Class) { |k| k.allocate rescue 0 }; raise 'x'",
    ] {
        let mut guest = ruby().sandbox(Options { fuel: Some(3_000_000_000), ..Options::full() }).unwrap();
        let answer = guest.eval(source).unwrap();
        match answer.stop {
            Stop::Raised(_) | Stop::Finished(_) => assert_eq!(guest.eval("1 + 1").unwrap().value, integer(2), "{source}"),
            Stop::OutOfMemory | Stop::OutOfFuel => {}
            Stop::Trapped(trap) => assert_ne!(trap.kind, cell::TrapKind::Internal, "{source}"),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn the_same_program_uses_the_same_fuel_everywhere() {
    let source = "h = {}; 2000.times { |i| h[i.to_s] = i }; [h.size, rand, Time.now.to_f, 'x'.hash, Object.new.object_id]";
    let once = safe().eval(source).unwrap();
    let again = safe().eval(source).unwrap();
    assert!(matches!(once.stop, Stop::Finished(0)));
    assert_eq!((once.value, once.usage.fuel), (again.value, again.usage.fuel));
}

struct Counter(i64);

impl HostObject for Counter {
    fn class(&self) -> &str {
        "Counter"
    }

    fn call(&mut self, method: &str, arguments: Vec<Value>) -> Result<Value, GuestError> {
        match (method, arguments.first().and_then(Value::as_i64)) {
            ("add", Some(number)) => {
                self.0 += number;
                Ok(Value::integer(self.0))
            }
            ("panic", _) => panic!("this panic is part of a test"),
            _ => Err(GuestError::new("NoMethodError", format!("no `{method}`"))),
        }
    }
}

#[test]
fn objects_of_the_host_answer_and_fail_cleanly() {
    let counter = Arc::new(Mutex::new(Counter(0)));
    let mut guest = safe();
    guest.offer("Counter", counter.clone()).unwrap();
    assert_eq!(guest.eval("10.times { |i| Counter.add(i) }; Counter.add(0)").unwrap().value, integer(45));
    assert_eq!(guest.eval("begin; Counter.panic; rescue => e; 1; end").unwrap().value, integer(1));
    assert_eq!(guest.eval("begin; Counter.nothing; rescue => e; e.class_name; end").unwrap().value, Some(Value::text("NoMethodError")));
    assert!(matches!(guest.eval("Counter.add(Object.new)").unwrap().stop, Stop::Raised(_)));
}

struct Echo;

impl HostObject for Echo {
    fn class(&self) -> &str {
        "Echo"
    }

    fn call(&mut self, _: &str, mut arguments: Vec<Value>) -> Result<Value, GuestError> {
        Ok(arguments.pop().unwrap_or_default())
    }
}

/// Those that the host reads where they lie, and those that go as a message.
#[test]
fn values_cross_to_the_host_and_back() {
    let mut guest = safe();
    guest.offer("Echo", Arc::new(Mutex::new(Echo))).unwrap();
    guest.offer_function("echo", |mut values| Ok(values.pop().unwrap_or_default())).unwrap();
    for source in [
        "nil",
        "true",
        "false",
        "0",
        "-1",
        "127",
        "128",
        "(1 << 29) - 1",
        "-(1 << 29)",
        "(1 << 30) - 1",
        "1 << 30",
        "-(1 << 30)",
        "-(1 << 30) - 1",
        "2**53 + 1",
        "-2**63",
        "2**70",
        "1.5",
        "-0.0",
        "1e300",
        "''",
        "'plain'",
        "'plain'.dup",
        "'häß'",
        "'x' * 100",
        "'x' * 40_000",
        "'a'.encode('US-ASCII')",
        r#""\xff".b"#,
        "[1, [nil, 'x']]",
        "{ 'a' => [1] }",
        "[1, 2, 3].pack('C*').force_encoding('UTF-8')",
    ] {
        for call in ["Echo.call(v)", "Echo.call(1, 'two', v)", "echo(v)"] {
            let answer = guest.eval(&format!("v = {source}; w = {call}; v.eql?(w) && v.to_s == w.to_s || w.inspect")).unwrap();
            assert_eq!(answer.value, Some(Value::Bool(true)), "{call} of {source}: {:?}", answer.stop);
        }
    }
    for source in ["'a'.dup.tap { |s| s.instance_variable_set(:@a, 1) }", "Class.new(String).new('a')", "Object.new", "[Object.new]"] {
        let answer = guest.eval(&format!("begin; Echo.call({source}); rescue Sandbox::TransferException; 5; end")).unwrap();
        assert_eq!(answer.value, integer(5), "{source}: {:?}", answer.stop);
    }
    assert_eq!(guest.eval("Echo.call(*1..40)").unwrap().value, integer(40));
}

#[test]
fn the_environment_is_the_embedders() {
    let mut options = Options { boxes: true, ..Options::full() };
    options.world.environment = vec![("NAME".into(), "val=ue".into())];
    let mut guest = ruby().sandbox(options.clone()).unwrap();
    let answer =
        guest.eval("[ENV.to_a, Sandbox.new.eval('ENV.to_a'), Sandbox.safe(init: [:env]).eval('ENV.to_a'), Sandbox.safe.eval('ENV.to_a')]");
    let given = Value::List(vec![Value::List(vec![Value::text("NAME"), Value::text("val=ue")])]);
    let expected = Value::List(vec![given.clone(), given.clone(), given, Value::List(Vec::new())]);
    assert_eq!(answer.unwrap().value, Some(expected));

    options.world.environment = vec![("PLACE".into(), "Zürich".into())];
    let mut guest = ruby().sandbox(options).unwrap();
    let answer = guest.eval(
        "[ENV['PLACE'], ENV.fetch('PLACE'), ENV.to_h['PLACE'], *ENV.map { |name, value| value }, *ENV.each { |pair| break pair[1] }]
           .map { |value| [value, value.encoding.name] }.uniq + [ENV.fetch('NONE', 'x'), ENV['NONE'], ENV.to_h { |name, value| [value, 1] }.keys]",
    );
    let place = Value::text("Zürich");
    let value = Value::List(vec![place.clone(), Value::text("UTF-8")]);
    assert_eq!(answer.unwrap().value, Some(Value::List(vec![value, Value::text("x"), Value::Null, Value::List(vec![place])])));
}

#[test]
fn a_thousand_boxes_keep_their_own_state() {
    let mut boxes: Vec<Sandbox> = (0..1000).map(|_| safe()).collect();
    for (index, guest) in boxes.iter_mut().enumerate() {
        assert_eq!(guest.eval(&format!("me = {index}; nil")).unwrap().stop, Stop::Finished(0));
    }
    for (index, guest) in boxes.iter_mut().enumerate() {
        assert_eq!(guest.eval("me").unwrap().value, integer(index as i64));
    }
}

#[test]
fn boxes_of_several_threads_run_side_by_side() {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut guest = safe();
                (0..20).map(|i| guest.eval(&format!("{thread} * 100 + {i}")).unwrap().value.unwrap()).collect::<Vec<_>>()
            })
        })
        .collect();
    for (thread, handle) in threads.into_iter().enumerate() {
        let expected: Vec<_> = (0..20).map(|i| Value::integer(thread as i64 * 100 + i)).collect();
        assert_eq!(handle.join().unwrap(), expected);
    }
}

#[test]
fn a_saved_state_comes_back() {
    let mut guest = safe();
    guest.eval("x = [1, { a: 'b' }]; def f = x = 3").unwrap();
    let frozen = guest.snapshot().unwrap();
    guest.eval("x << 2").unwrap();
    let mut copy = frozen.spawn(None);
    assert_eq!(copy.eval("x.size").unwrap().value, integer(2));
    assert_eq!(guest.eval("x.size").unwrap().value, integer(3));
}
