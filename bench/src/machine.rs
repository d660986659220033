//! Machines: what a fresh one costs against booting one, and what programs cost in it against the host.
//!
//! Medians and the 99th percentile, all in one run on one machine, since only the ratios travel.

use std::fs;
use std::path::Path;
use std::process::{Command as Native, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use machine::{Command, Config, Error, Happening, Keep, Machine, Pool, Readiness, Template};

/// Long enough for anything that should happen at all, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn run(machine: &Machine, line: &str) -> Result<()> {
    let process = machine.start(&Command::shell(line))?;
    process.end_input()?;
    loop {
        match process.next(Some(Instant::now() + PATIENCE))? {
            Some(Happening::Exited(exit, _)) => {
                ensure!(exit == machine::Exit::Code(0), "{line}: {exit:?}");
                return Ok(());
            }
            Some(_) => {}
            None => anyhow::bail!("{line} does not end"),
        }
    }
}

fn native(command: &mut Native) -> Result<Duration> {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(start.elapsed())
}

fn shell(line: &str) -> Native {
    let mut command = Native::new("sh");
    command.args(["-c", line]);
    command
}

/// Milliseconds: median and minimum of some runs.
struct Series(Vec<f64>);

impl Series {
    fn of(rounds: usize, mut work: impl FnMut() -> Result<Duration>) -> Result<Self> {
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

fn fill(pool: &Pool, patience: Duration) -> Result<()> {
    ensure!(pool.wait_full(Instant::now() + patience)?, "the pool does not fill");
    Ok(())
}

/// Prints the tables; a word instead where there is no image.
pub(crate) fn measure(oubliette: &Path, data: &Path, rounds: u32) -> Result<()> {
    let config = Config::new(data);
    let rounds = usize::try_from(rounds.max(1))?;
    let template = match Template::open(&config) {
        Err(error @ Error::NoImage { .. }) => {
            eprintln!("machines are not measured: {error}");
            return Ok(());
        }
        other => other?,
    };
    println!("### Machines\n");
    println!("{:?}, {rounds} rounds, milliseconds.\n", template.accelerator());
    println!("| what | least | median | p99 |\n| --- | ---: | ---: | ---: |");

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

    let folder = tempfile::tempdir()?;
    let script = folder.path().join("hello.sh");
    fs::write(&script, "echo Hello, world!\n")?;
    let mut command = Native::new(oubliette);
    command.args(["run", "--timeout", "60s"]).arg(&script).env("OUBLIETTE_DATA", data);
    let whole = Series::of(rounds, || native(&mut command)).context("the whole command")?;
    row("the whole command: `oubliette run hello.sh`", &whole);

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
    fill(&pool, PATIENCE)?;
    let mut machine = pool.take()?;
    let reset = Series::of(rounds, || {
        fill(&pool, PATIENCE)?;
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
        native(&mut shell(line))?;
        let here = Series::of(rounds, || native(&mut shell(line)))?;
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
            fill(&pool, PATIENCE)?;
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

    println!("\n| ratio | figure |\n| --- | ---: |");
    println!("| clone to cold boot | 1/{:.0} |", boot.median() / clone.median());
    println!("| pool reset to clone | 1/{:.0} |", clone.median() / reset.median());
    println!("| template from disk and clone, to cold boot | 1/{:.1} |", boot.median() / load.median());
    println!("| `oubliette run hello.sh`, to cold boot | 1/{:.1} |", boot.median() / whole.median());
    println!("| resets a second, back to back | {rate:.1} |");

    println!("\n| sixteen paused clones | MB of the host's memory each |\n| --- | ---: |");
    for (name, readiness) in [
        ("restored only", Readiness::Restored),
        ("ready to go", Readiness::Ready),
        ("warmed with Python", Readiness::python()),
        ("warmed with gcc", Readiness::compiler()),
    ] {
        let pool = Pool::new(&template, 16, readiness)?;
        fill(&pool, 4 * PATIENCE)?;
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
