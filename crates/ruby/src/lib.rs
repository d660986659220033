//! CRuby as a WebAssembly guest.
mod abi;
mod image;
mod member;
mod wire;

pub use image::{PACKAGE, PrepareOptions, Progress, Ruby, VERSION, load, prepare, read_only};

#[doc(hidden)]
pub mod probe {
    //! scratch
    use crate::member::*;
    use crate::wire::Wire;
    pub fn boot(file: &str) {
        let t = std::time::Instant::now();
        let ruby = crate::prepare(&crate::PrepareOptions { wasm: Some(file.into()), ..crate::PrepareOptions::new("/tmp/wr/cache") }, &mut |p| println!("{p:?} {:?}", t.elapsed())).unwrap();
        println!("ready {:?} {} KB", t.elapsed(), ruby.program.image_size() >> 10);
        let mut meter = cell::Meter::new(None);
        for i in 0..5 {
            let t = std::time::Instant::now();
            let mut m = Member::new(&ruby, MemberSetup { world: Default::default(), memory: 128 << 20, output: None });
            m.guest.submit(Box::new(|_, _| Box::pin(std::future::ready(Ok(vec![]))))).unwrap();
            m.guest.poll(&mut meter);
            let a = t.elapsed();
            let mut ev = |s: &str| {
                let t = std::time::Instant::now();
                m.start(vec![Wire::Integer(order::EVAL), Wire::text(s), Wire::text("x.rb"), Wire::Integer(1)]).unwrap();
                let r = m.poll(&mut meter);
                (t.elapsed(), r)
            };
            let r = ev("1+1");
            let b = r.0;
            let mut best = ev("1+1").0;
            for _ in 0..200 { best = best.min(ev("1+1").0); }
            println!("{i}: create {a:?} first eval {b:?} warm {best:?} {:?}", r.1);
            if i == 4 { for s in ["[1,2.5,'x',:y,{a: 1, 'b'=>[2**100]}, nil, true]", "puts 'hi'; raise ArgumentError, 'no'", "Object.new", "def f = yield 5", "exit 3", "require 'json'; JSON.generate([1,{a: 2}])", "require 'set'; require 'erb'; ERB.new('<%= 1+1 %>').result", "a=[]; loop { a << 'x'*1000000 }", "def r = r; r", "1+1", "require 'logger'; Logger"] {
                println!("{s} => {:?}", ev(s));
            } 
            println!("{:?} {:?}", String::from_utf8_lossy(&m.console().take().0), m.guest.memory());
            }
        }
    }
}
