//! Opens a template and times clones: `cargo run --example clone -- DATA [N]`.

use std::time::{Duration, Instant};

use machine::{Accelerator, Command, Config, Happening, Machine, Template};

fn run(machine: &Machine, command: &Command) -> Result<(String, Duration), machine::Error> {
    let start = Instant::now();
    let process = machine.start(command)?;
    process.end_input()?;
    let mut text = String::new();
    loop {
        match process.next(Some(start + Duration::from_secs(60)))? {
            Some(Happening::Output(_, bytes)) => text += &String::from_utf8_lossy(&bytes),
            Some(Happening::Exited(exit, usage)) => {
                return Ok((format!("{text:?} {exit:?} {usage:?}"), start.elapsed()));
            }
            None => return Ok(("late".to_owned(), start.elapsed())),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut config = Config::new(arguments.next().ok_or("which folder?")?);
    let count: usize = arguments.next().map_or(Ok(5), |n| n.parse())?;
    config.accelerator = Some(Accelerator::Tcg);
    let start = Instant::now();
    let template = Template::open(&config)?;
    println!("template {:?}, boot {:?}", start.elapsed(), template.boot_time());
    for _ in 0..count {
        let start = Instant::now();
        let machine = template.spawn()?;
        let ready = start.elapsed();
        println!("clone {ready:?}");
        for line in ["cat /proc/sys/kernel/random/boot_id; id; date", "true", "python3 -c 'print(2+2)'"] {
            println!("  {line}: {:?}", run(&machine, &Command::shell(line))?);
        }
        println!("  {:?}", machine.health(Duration::from_secs(5))?);
    }
    Ok(())
}
