//! References and the tables they index.

use serde::{Deserialize, Serialize};

/// What crosses by reference: an index and a generation in the receiving cell's own table, meaningless elsewhere.
///
/// Forging one reaches at most what was already lent to that cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ref {
    /// Entry of the table.
    pub index: u32,
    /// Which use of that entry.
    pub generation: u32,
}

/// A table of things lent; entries are used again, with another generation.
#[derive(Clone, Debug)]
pub struct RefTable<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    most: u32,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for RefTable<T> {
    fn default() -> Self {
        Self::new(1 << 20)
    }
}

impl<T> RefTable<T> {
    /// A table with room for `most` entries at once.
    pub fn new(most: u32) -> Self {
        Self { entries: Vec::new(), free: Vec::new(), most }
    }

    /// Adds an entry; `None` when the table is full.
    pub fn insert(&mut self, value: T) -> Option<Ref> {
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.value = Some(value);
            return Some(Ref { index, generation: entry.generation });
        }
        let index = u32::try_from(self.entries.len()).ok().filter(|index| *index < self.most)?;
        self.entries.push(Entry { generation: 0, value: Some(value) });
        Some(Ref { index, generation: 0 })
    }

    /// The entry, if the reference is a live one of this table.
    pub fn get(&self, reference: Ref) -> Option<&T> {
        let entry = self.entries.get(reference.index as usize)?;
        if entry.generation == reference.generation { entry.value.as_ref() } else { None }
    }

    /// The entry, to change.
    pub fn get_mut(&mut self, reference: Ref) -> Option<&mut T> {
        let entry = self.entries.get_mut(reference.index as usize)?;
        if entry.generation == reference.generation { entry.value.as_mut() } else { None }
    }

    /// Releases an entry and returns what it held.
    pub fn remove(&mut self, reference: Ref) -> Option<T> {
        let entry = self.entries.get_mut(reference.index as usize)?;
        if entry.generation != reference.generation {
            return None;
        }
        let value = entry.value.take()?;
        // An entry whose generations are used up is never used again, so that no stale reference comes alive.
        if let Some(next) = entry.generation.checked_add(1) {
            entry.generation = next;
            self.free.push(reference.index);
        }
        Some(value)
    }

    /// Live entries, in order of their index.
    pub fn iter(&self) -> impl Iterator<Item = (Ref, &T)> {
        self.entries.iter().zip(0u32..).filter_map(|(entry, index)| {
            let value = entry.value.as_ref()?;
            Some((Ref { index, generation: entry.generation }, value))
        })
    }

    /// For every entry the generation that its next use will have.
    pub(crate) fn generations(&self) -> Vec<u32> {
        self.entries.iter().map(|entry| entry.generation.saturating_add(u32::from(entry.value.is_some()))).collect()
    }

    /// An empty table in which every reference of an older table is dead.
    pub(crate) fn with_generations(generations: &[u32]) -> Self {
        let mut table = Self::default();
        table.entries = generations.iter().take(table.most as usize).map(|&generation| Entry { generation, value: None }).collect();
        // An entry at the last generation may have been used with it: leave it alone.
        table.free = (0u32..).zip(&table.entries).filter(|(_, entry)| entry.generation < u32::MAX).map(|(index, _)| index).collect();
        table
    }

    /// Number of live entries.
    pub fn len(&self) -> usize {
        self.entries.len() - self.entries.iter().filter(|entry| entry.value.is_none()).count()
    }

    /// Whether nothing is lent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_reference_stays_dead() {
        let mut table = RefTable::new(2);
        let first = table.insert("a").unwrap();
        assert_eq!(table.remove(first), Some("a"));
        let second = table.insert("b").unwrap();
        assert_eq!(second.index, first.index);
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        assert_eq!(table.get(second), Some(&"b"));
        table.insert("c").unwrap();
        assert_eq!(table.insert("d"), None, "the table is full");
        assert_eq!(table.get(Ref { index: 99, generation: 0 }), None);
    }
}
