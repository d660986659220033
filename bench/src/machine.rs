//! Machines: what a fresh one costs against booting one, and what programs cost in it against the host.
//!
//! Medians and the 99th percentile, all in one run on one machine, since only the ratios travel.

use std::fs;
use std::path::Path;
use std::process::{Command as Native, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use machine::{Command, Config, Error, Happening, Keep, Machine, Pool, Readiness, Template};

use crate::machine_peers::{Guest, Managed, Peer, tsc_khz};

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

/// Milliseconds of some runs, from the least.
struct Series(Vec<f64>);

impl From<Vec<Duration>> for Series {
    fn from(times: Vec<Duration>) -> Self {
        let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }
}

impl Series {
    fn of(rounds: usize, work: impl FnMut() -> Result<Duration>) -> Result<Self> {
        let times: Result<Vec<Duration>> = std::iter::repeat_with(work).take(rounds).collect();
        Ok(times?.into())
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

/// Hundredths of a second of processor time that a process has used.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may hold blanks: the state, then numbers, of which some are negative.
    let mut fields = stat.rsplit(") ").next().unwrap_or("").split(' ').skip(11).map_while(|field| field.parse::<u64>().ok());
    fields.next().zip(fields.next()).map_or(0, |(user, system)| user + system)
}

fn fill(pool: &Pool, patience: Duration) -> Result<()> {
    ensure!(pool.wait_full(Instant::now() + patience)?, "the pool does not fill");
    Ok(())
}

/// The same guest in the usual ways: put back in place by `loadvm`, and the same system booted by a system manager, whose median is returned.
fn peers(data: &Path, image: &Path, rounds: usize) -> Result<Option<f64>> {
    let tsc = tsc_khz(data).map_or_else(String::new, |khz| format!("tsc=reliable tsc_early_khz={khz} "));
    let common = format!("quiet loglevel=0 no_timer_check random.trust_cpu=on panic=-1 mitigations=off nokaslr norandmaps {tsc}");
    let append = format!("{common} cryptomgr.notests lsm=capability audit=0 ipv6.disable=1");
    let disk = image.join("root.qcow2");
    let (kernel, initrd) = (image.join("vmlinux"), image.join("initrd.cpio"));
    let mut peer = Peer::start(&Guest { kernel: &kernel, initrd: &initrd, append: &append, disk: &disk })?;
    peer.greet()?;
    peer.save("ready")?;
    let load = Series::of(rounds, || {
        let start = Instant::now();
        peer.load("ready")?;
        peer.greet()?;
        Ok(start.elapsed())
    })?;
    row("in-place `loadvm`, to the agent's answer", &load);
    drop(peer);

    let Some(managed) = Managed::find(data) else {
        eprintln!("no image with a system manager: bench/machine/system-manager.sh makes it");
        return Ok(None);
    };
    let append = format!("{common} root=/dev/vda rw");
    let guest = Guest { kernel: &managed.kernel, initrd: &managed.initrd, append: &append, disk: &managed.disk };
    // It takes so long that a few are enough.
    let boot = Series::of(rounds.min(3), || {
        let start = Instant::now();
        let mut peer = Peer::start(&guest)?;
        peer.hear()?;
        Ok(start.elapsed())
    })?;
    row("boot of the same packages under systemd", &boot);
    Ok(Some(boot.median()))
}

/// One line of the table of bars.
fn bar(name: &str, figure: &str, bar: &str, met: bool) {
    println!("| {name} | {figure} | {bar} | {} |", if met { "met" } else { "missed" });
}

/// A figure that is to be at most one `bar`th of another.
fn part(name: &str, whole: f64, figure: f64, most: f64) {
    bar(name, &format!("1/{:.1}", whole / figure), &format!("1/{most:.0}"), whole / figure >= most);
}

/// A figure that is to be at most `most`.
fn most(name: &str, figure: f64, unit: &str, most: f64) {
    bar(name, &format!("{figure:.1}{unit}"), &format!("{most}{unit}"), figure <= most);
}

/// What is measured of machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Making, resetting and thawing them, beside booting and the peers.
    Clones,
    /// Programs in them, beside the host.
    Programs,
    /// What waiting ones take of the host.
    Memory,
}

/// Prints the tables of some parts; a word instead where there is no image.
pub(crate) fn measure(parts: &[Part], oubliette: &Path, data: &Path, rounds: u32) -> Result<()> {
    let config = Config::new(data);
    let rounds = usize::try_from(rounds.max(1))?;
    let template = match Template::open(&config) {
        Err(error @ Error::NoImage { .. }) => {
            eprintln!("machines are not measured: {error}");
            return Ok(());
        }
        other => other?,
    };
    println!("### Machines\n\n{:?}, {rounds} rounds.", template.accelerator());
    for part in parts {
        match part {
            Part::Clones => clones(&template, oubliette, rounds)?,
            Part::Programs => programs(&template, rounds)?,
            Part::Memory => memory(&template)?,
        }
    }
    Ok(())
}

fn begin_times() {
    println!("\n| milliseconds | least | median | p99 |\n| --- | ---: | ---: | ---: |");
}

fn begin_bars() {
    println!("\n| medians | figure | at most | |\n| --- | ---: | ---: | --- |");
}

fn clones(template: &Arc<Template>, oubliette: &Path, rounds: usize) -> Result<()> {
    begin_times();
    let config = template.config();
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
    row("cold boot, a disk-only restore: a fresh overlay, booted", &disk_only);
    let managed = peers(&config.data, &config.image_folder(), rounds)?;

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
        drop(Template::open(config)?.spawn()?);
        Ok(start.elapsed())
    })?;
    row("the same with the template loaded from disk", &load);

    let folder = tempfile::tempdir()?;
    let script = folder.path().join("hello.sh");
    fs::write(&script, "echo Hello, world!\n")?;
    let mut command = Native::new(oubliette);
    command.args(["run", "--timeout", "60s"]).arg(&script).env("OUBLIETTE_DATA", &config.data);
    let whole = Series::of(rounds, || native(&mut command)).context("the whole command")?;
    row("the whole command: `oubliette run hello.sh`", &whole);

    let keep = Keep::open(template)?;
    keep.save("measure", template.spawn()?)?;
    let thaw = Series::of(rounds, || {
        let start = Instant::now();
        drop(keep.restore("measure")?);
        Ok(start.elapsed())
    })?;
    keep.shelf().forget("measure")?;
    row("thawing a kept machine", &thaw);

    let pool = Pool::new(template, 4, Readiness::Ready)?;
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
    row(&format!("100 resets back to back, pool of 4 ({rate:.1} a second)"), &burst);
    drop(machine);

    begin_bars();
    part("new clone, to a cold boot", disk_only.median(), clone.median(), 20.0);
    part("reset from the pool, to a new clone", clone.median(), reset.median(), 8.0);
    part("`oubliette run hello.sh`, the whole command, to a cold boot", disk_only.median(), whole.median(), 8.0);
    if let Some(managed) = managed {
        part("cold boot, to the same packages under systemd", managed, disk_only.median(), 4.0);
    }
    Ok(())
}

fn programs(template: &Arc<Template>, rounds: usize) -> Result<()> {
    const C: &str = "cat >/tmp/h.c <<'X'\n#include <stdio.h>\nint main(void){puts(\"Hello, world!\");return 0;}\nX\ngcc -O1 -o /tmp/h /tmp/h.c && /tmp/h";
    const PYTHON: &str = "python3 -c 'print(\"Hello, world!\")'";
    begin_times();
    let mut bars = Vec::new();
    for (name, line, readiness, fresh_bar, warm_bar) in
        [("C", C, Readiness::compiler(), 35.0, 15.0), ("Python", PYTHON, Readiness::python(), 50.0, 20.0)]
    {
        native(&mut shell(line))?;
        let pool = Pool::new(template, 1, readiness)?;
        let (mut here, mut fresh, mut warm) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            // In turns, so that all three meet the same caches and neighbours; and not while the pool makes a machine.
            fill(&pool, PATIENCE)?;
            here.push(native(&mut shell(line))?);
            let timed = |machine: &Machine| {
                let start = Instant::now();
                run(machine, line).map(|()| start.elapsed())
            };
            fresh.push(timed(&template.spawn()?)?);
            warm.push(timed(&pool.take()?)?);
        }
        let (here, fresh, warm) = (Series::from(here), Series::from(fresh), Series::from(warm));
        row(&format!("{name} hello world, native"), &here);
        row(&format!("{name} hello world, fresh clone"), &fresh);
        row(&format!("{name} hello world, warmed clone"), &warm);
        bars.push((format!("{name} hello world, fresh clone, to native"), fresh.median() / here.median(), fresh_bar));
        bars.push((format!("{name} hello world, warmed clone, to native"), warm.median() / here.median(), warm_bar));
    }
    begin_bars();
    for (name, figure, bar) in &bars {
        most(name, *figure, " ×", *bar);
    }
    Ok(())
}

fn memory(template: &Arc<Template>) -> Result<()> {
    begin_bars();
    for (name, readiness, bar) in [
        ("restored only", Readiness::Restored, 18.0),
        ("ready to go", Readiness::Ready, 30.0),
        ("warmed with Python", Readiness::python(), 60.0),
        ("warmed with gcc", Readiness::compiler(), 120.0),
    ] {
        let pool = Pool::new(template, 16, readiness)?;
        fill(&pool, 4 * PATIENCE)?;
        let pids = pool.pids();
        let kilobytes: u64 = pids.iter().map(|&pid| private_kilobytes(pid)).sum();
        let mean = kilobytes as f64 / 1024.0 / pids.len() as f64;
        most(&format!("host memory of each of sixteen paused clones, {name}"), mean, " MB", bar);
        let used = |pids: &[u32]| pids.iter().map(|&pid| ticks(pid)).sum::<u64>();
        let before = used(&pids);
        std::thread::sleep(Duration::from_secs(1));
        most(&format!("processor time that they use in a second, {name}"), (used(&pids) - before) as f64, " ticks", 0.0);
    }
    let machine = template.spawn()?;
    run(&machine, "true")?;
    let (before, start) = (ticks(machine.pid()), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    let used = ticks(machine.pid()) - before;
    most("idle running clone, of a core", used as f64 / start.elapsed().as_secs_f64(), " %", 4.0);
    Ok(())
}
