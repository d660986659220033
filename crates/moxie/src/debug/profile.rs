//! Where a program spends its fuel: samples by program counter, written for gprof and for flame graphs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use std::sync::{Arc, Mutex, PoisonError};

use super::Symbols;
use crate::engine::{MOST_FRAMES, Sampler};
use crate::machine::Machine;

/// Samples of a run: one each time a fixed number of units has been used, so the same run gives the same profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Units between samples.
    interval: u64,
    /// How often each call stack was seen; outermost address first.
    stacks: BTreeMap<Vec<u32>, u64>,
    /// How often each address was seen.
    counts: BTreeMap<u32, u64>,
    /// How often a call was seen from one function to another, as (return address, callee).
    arcs: BTreeMap<(u32, u32), u64>,
}

/// Bytes of code that one counter of a gmon.out histogram stands for.
const BUCKET: u32 = 4;
/// Bytes of code without a sample that end a histogram record.
const MOST_GAP: u32 = 64 << 10;
/// What gprof is told about time: a million units of fuel are a second, as everywhere inside.
const UNITS_PER_SECOND: u64 = 1_000_000;

impl Profile {
    /// An empty profile with a sample for every `interval` units; at least one.
    pub fn new(interval: u64) -> Self {
        Self { interval: interval.max(1), ..Self::default() }
    }

    /// Units between samples.
    pub fn interval(&self) -> u64 {
        self.interval
    }

    /// Adds a sample: the program counter, then the return addresses, innermost first.
    pub fn add(&mut self, pc: u32, return_addresses: &[u32], symbols: &Symbols) {
        *self.counts.entry(pc).or_default() += 1;
        let mut stack: Vec<u32> = return_addresses.iter().rev().copied().collect();
        stack.push(pc);
        *self.stacks.entry(stack).or_default() += 1;
        let mut callee = pc;
        for back in return_addresses {
            if let Some(function) = symbols.function_at(callee) {
                *self.arcs.entry((*back, function.address)).or_default() += 1;
            }
            callee = *back;
        }
    }

    /// Number of samples.
    pub fn samples(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Writes folded stacks, a line each: `main;work;inner 42`. Flame graph tools read this.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_folded(&self, to: &mut dyn Write, symbols: &Symbols) -> io::Result<()> {
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        for (stack, count) in &self.stacks {
            let names: Vec<_> = stack
                .iter()
                .map(|address| symbols.function_at(*address).map_or_else(|| format!("{address:#x}"), |symbol| symbol.name.clone()))
                .collect();
            *lines.entry(names.join(";")).or_default() += count;
        }
        for (names, count) in lines {
            writeln!(to, "{names} {count}")?;
        }
        Ok(())
    }

    /// Samples in runs of addresses that lie near each other: a histogram record over a whole address space would be gigabytes of zeros.
    fn clusters(&self) -> Vec<Vec<(u32, u64)>> {
        let mut clusters: Vec<Vec<(u32, u64)>> = Vec::new();
        for (address, count) in &self.counts {
            match clusters.last_mut() {
                Some(cluster) if cluster.last().is_some_and(|(last, _)| address - last < MOST_GAP) => cluster.push((*address, *count)),
                _ => clusters.push(vec![(*address, *count)]),
            }
        }
        clusters
    }

    /// Writes a `gmon.out` (version 1) for `moxie-none-moxiebox-gprof`: a histogram and call arcs.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_gmon(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(b"gmon")?;
        to.write_all(&1u32.to_le_bytes())?;
        to.write_all(&[0; 12])?;
        for cluster in self.clusters() {
            let (Some((first, _)), Some((last, _))) = (cluster.first(), cluster.last()) else { continue };
            let low = first / BUCKET * BUCKET;
            let buckets = (last - low) / BUCKET + 1;
            let high = u32::try_from(u64::from(low) + u64::from(buckets) * u64::from(BUCKET)).unwrap_or(u32::MAX);
            to.write_all(&[0])?;
            to.write_all(&low.to_le_bytes())?;
            to.write_all(&high.to_le_bytes())?;
            to.write_all(&buckets.to_le_bytes())?;
            let rate = u32::try_from((UNITS_PER_SECOND / self.interval).max(1)).unwrap_or(u32::MAX);
            to.write_all(&rate.to_le_bytes())?;
            to.write_all(b"seconds\0\0\0\0\0\0\0\0s")?;
            let mut counters = vec![0u16; buckets as usize];
            for (address, count) in cluster {
                let counter = &mut counters[((address - low) / BUCKET) as usize];
                *counter = counter.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
            }
            for counter in counters {
                to.write_all(&counter.to_le_bytes())?;
            }
        }
        for ((from, to_function), count) in &self.arcs {
            to.write_all(&[1])?;
            to.write_all(&from.to_le_bytes())?;
            to.write_all(&to_function.to_le_bytes())?;
            to.write_all(&u32::try_from(*count).unwrap_or(u32::MAX).to_le_bytes())?;
        }
        Ok(())
    }
}

/// Fills a [`Profile`] while a program runs; both sides hold it.
#[derive(Debug)]
pub struct ProfileSampler {
    profile: Arc<Mutex<Profile>>,
    symbols: Arc<Symbols>,
}

impl ProfileSampler {
    /// A sampler and the profile that it fills.
    pub fn new(interval: u64, symbols: Arc<Symbols>) -> (Self, Arc<Mutex<Profile>>) {
        let profile = Arc::new(Mutex::new(Profile::new(interval)));
        (Self { profile: Arc::clone(&profile), symbols }, profile)
    }
}

impl Sampler for ProfileSampler {
    fn sample(&mut self, machine: &Machine) {
        let callers = machine.callers(MOST_FRAMES);
        self.profile.lock().unwrap_or_else(PoisonError::into_inner).add(machine.cpu.pc, &callers, &self.symbols);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_counts_addresses_and_stacks() {
        let symbols = Symbols::default();
        let mut profile = Profile::new(1000);
        profile.add(0x1010, &[0x2000], &symbols);
        profile.add(0x1012, &[0x2000], &symbols);
        profile.add(0x1010, &[0x2000], &symbols);
        assert_eq!(profile.samples(), 3);
        let mut folded = Vec::new();
        profile.write_folded(&mut folded, &symbols).unwrap();
        assert_eq!(String::from_utf8(folded).unwrap(), "0x2000;0x1010 2\n0x2000;0x1012 1\n");
        let mut gmon = Vec::new();
        profile.write_gmon(&mut gmon).unwrap();
        assert_eq!(&gmon[..8], b"gmon\x01\0\0\0");
        // Header 20, histogram record 1 + 16 + 16, one counter of two bytes for 0x1010..0x1014.
        assert_eq!(gmon.len(), 20 + 33 + 2);
        assert_eq!(&gmon[53..], 3u16.to_le_bytes());
    }
}
