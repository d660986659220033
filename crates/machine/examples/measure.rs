//! The figures of the book: `cargo run --release --example measure -- DATA [ROUNDS]`.
//!
//! Everything in one run on one machine, medians: cold boot, clone, reset from the pool, in-place reset by restart,
//! thawing a kept machine, small programs against the same natively, memory of paused clones.

use std::fs;
use std::process::{Command as Native, Stdio};
use std::time::{Duration, Instant};

use machine::{Command, Config, Error, Happening, Keep, Machine, Pool, Readiness, Template};

const PATIENCE: Duration = Duration::from_secs(120);

fn run(machine: &Machine, line: &str) -> Result<(), Error> {
    let process = machine.start(&Command::shell(line))?;
    process.end_input()?;
    loop {
        match process.next(Some(Instant::now() + PATIENCE))? {
            Some(Happening::Exited(exit, _)) => {
                assert_eq!(exit, machine::Exit::Code(0), "{line}");
                return Ok(());
            }
            Some(_) => {}
            None => panic!("{line} does not end"),
        }
    }
}

fn native(line: &str) -> Duration {
    let start = Instant::now();
    let status = Native::new("sh").args(["-c", line]).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{line}");
    start.elapsed()
}

/// Milliseconds: median and minimum of some runs.
struct Series(Vec<f64>);

impl Series {
    fn of(rounds: usize, mut work: impl FnMut() -> Result<Duration, Error>) -> Result<Self, Error> {
        let mut times = Vec::new();
        for _ in 0..rounds {
            times.push(work()?.as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        Ok(Self(times))
    }

    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn at(&self, share: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = ((self.0.len() - 1) as f64 * share).round() as usize;
        self.0[index]
    }
}

fn row(name: &str, series: &Series) {
    println!("| {name} | {:.1} | {:.1} | {:.1} |", series.at(0.0), series.median(), series.at(0.99));
}

/// Kilobytes of the host's memory that are a process's alone.
fn private_kilobytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0)
    };
    field("Private_Clean:") + field("Private_Dirty:")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let config = Config::new(arguments.next().ok_or("which data folder?")?);
    let rounds: usize = arguments.next().map_or(Ok(20), |n| n.parse())?;
    let template = Template::open(&config)?;
    println!("{:?}, {rounds} rounds, milliseconds\n\n| what | least | median | p99 |\n| --- | --- | --- | --- |", template.accelerator());

    let mut machine = template.spawn()?;
    let boot = Series::of(rounds, || {
        let start = Instant::now();
        machine.restart()?;
        Ok(start.elapsed())
    })?;
    row("reboot to agent ready, caches written out first", &boot);
    drop(machine);
    let disk_only = Series::of(rounds, || {
        let start = Instant::now();
        drop(template.boot()?);
        Ok(start.elapsed())
    })?;
    row("disk-only restore: a fresh overlay, booted", &disk_only);

    let clone = Series::of(rounds, || {
        let start = Instant::now();
        let machine = template.spawn()?;
        let time = start.elapsed();
        drop(machine);
        Ok(time)
    })?;
    row("new clone, hardened, to agent ready", &clone);

    let load = Series::of(rounds, || {
        let start = Instant::now();
        drop(Template::open(&config)?.spawn()?);
        Ok(start.elapsed())
    })?;
    row("the same with the template loaded from disk", &load);

    let keep = Keep::open(&template)?;
    keep.save("measure", template.spawn()?)?;
    let thaw = Series::of(rounds, || {
        let start = Instant::now();
        drop(keep.restore("measure")?);
        Ok(start.elapsed())
    })?;
    keep.shelf().forget("measure")?;
    row("thawing a kept machine", &thaw);

    let pool = Pool::new(&template, 4, Readiness::Ready)?;
    assert!(pool.wait_full(Instant::now() + PATIENCE)?, "the pool does not fill");
    let mut machine = pool.take()?;
    let reset = Series::of(rounds, || {
        assert!(pool.wait_full(Instant::now() + PATIENCE)?, "the pool does not fill");
        let start = Instant::now();
        let fresh = pool.take()?;
        let time = start.elapsed();
        machine = fresh;
        Ok(time)
    })?;
    row("reset from the pool to agent ready", &reset);
    let start = Instant::now();
    let burst = Series::of(100, || {
        let start = Instant::now();
        machine = pool.take()?;
        Ok(start.elapsed())
    })?;
    let rate = 100.0 / start.elapsed().as_secs_f64();
    row("100 resets back to back, pool of 4", &burst);
    drop((machine, pool));

    let c = "cat >/tmp/h.c <<'X'\n#include <stdio.h>\nint main(void){puts(\"Hello, world!\");return 0;}\nX\ngcc -O1 -o /tmp/h /tmp/h.c && /tmp/h";
    let python = "python3 -c 'print(\"Hello, world!\")'";
    for (name, line, readiness) in [("C", c, Readiness::compiler()), ("Python", python, Readiness::python())] {
        native(line);
        let here = Series::of(rounds, || Ok(native(line)))?;
        row(&format!("{name} hello world, native"), &here);
        let fresh = Series::of(rounds, || {
            let machine = template.spawn()?;
            let start = Instant::now();
            run(&machine, line)?;
            Ok(start.elapsed())
        })?;
        row(&format!("{name} hello world, fresh clone"), &fresh);
        let pool = Pool::new(&template, 1, readiness)?;
        let warm = Series::of(rounds, || {
            assert!(pool.wait_full(Instant::now() + PATIENCE)?, "the pool does not fill");
            let machine = pool.take()?;
            let start = Instant::now();
            run(&machine, line)?;
            Ok(start.elapsed())
        })?;
        row(&format!("{name} hello world, warmed clone"), &warm);
        println!(
            "| {name}: times native, fresh / warmed | | {:.1} / {:.1} | |",
            fresh.median() / here.median(),
            warm.median() / here.median()
        );
    }

    println!("\n| ratio | figure |\n| --- | --- |");
    println!("| clone to cold boot | 1/{:.0} |", boot.median() / clone.median());
    println!("| pool reset to clone | 1/{:.0} |", clone.median() / reset.median());
    println!("| template from disk and clone, to cold boot | 1/{:.1} |", boot.median() / load.median());
    println!("| resets a second, back to back | {rate:.1} |");

    println!("\n| sixteen paused clones | MB of the host's memory each |\n| --- | --- |");
    for (name, readiness) in [
        ("restored only", Readiness::Restored),
        ("ready to go", Readiness::Ready),
        ("warmed with Python", Readiness::python()),
        ("warmed with gcc", Readiness::compiler()),
    ] {
        let pool = Pool::new(&template, 16, readiness)?;
        assert!(pool.wait_full(Instant::now() + 4 * PATIENCE)?, "the pool does not fill");
        let sizes: Vec<u64> = pool.pids().into_iter().map(private_kilobytes).collect();
        println!("| {name} | {:.1} |", sizes.iter().sum::<u64>() as f64 / 1024.0 / sizes.len() as f64);
    }

    let machine = template.spawn()?;
    run(&machine, "true")?;
    let ticks = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<u64> = stat.rsplit(") ").next().unwrap_or("").split(' ').filter_map(|n| n.parse().ok()).collect();
        fields.get(10).zip(fields.get(11)).map_or(0, |(a, b)| a + b)
    };
    let (before, start) = (ticks(machine.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    let used = ticks(machine.pid()) - before;
    println!("\nidle running clone: {:.1} % of a core", used as f64 / start.elapsed().as_secs_f64());
    Ok(())
}
