//! The memory a match works in: words that its owner provides, counts and caps.

/// Words that can grow. The state of a match lies in them and nowhere else, so a paused match can
/// be copied, saved and continued with its store.
pub trait Store {
    /// How many words there are.
    fn words(&self) -> u32;

    /// The word at `index`, anything if there is none.
    fn load(&self, index: u32) -> u32;

    /// Sets the word at `index`; does nothing if there is none.
    fn store(&mut self, index: u32, value: u32);

    /// Makes room for at least `words` words, keeping what is there; what the new words hold does
    /// not matter. Says whether it could; if not, nothing has changed. Asked for double at first,
    /// then for what is needed.
    fn grow(&mut self, words: u32) -> bool;

    /// Moves `count` words from `from` to `to`; they may overlap.
    fn copy(&mut self, from: u32, to: u32, count: u32) {
        if from < to {
            for i in (0..count).rev() {
                self.store(to + i, self.load(from + i));
            }
        } else {
            for i in 0..count {
                self.store(to + i, self.load(from + i));
            }
        }
    }

    /// Sets `count` words from `from` to 0.
    fn clear(&mut self, from: u32, count: u32) {
        for i in 0..count {
            self.store(from + i, 0);
        }
    }
}

/// A store on the host's heap, capped.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    words: Vec<u32>,
    cap: u32,
}

impl Arena {
    /// An empty store of at most `cap` words.
    pub fn new(cap: u32) -> Arena {
        Arena { words: Vec::new(), cap }
    }

    /// The words: what it would take to save a paused match.
    pub fn as_slice(&self) -> &[u32] {
        &self.words
    }

    /// The words, to be changed at will.
    pub fn as_mut_slice(&mut self) -> &mut [u32] {
        &mut self.words
    }
}

impl Store for Arena {
    #[inline(always)]
    fn words(&self) -> u32 {
        self.words.len() as u32
    }

    #[inline(always)]
    fn load(&self, index: u32) -> u32 {
        self.words.get(index as usize).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn store(&mut self, index: u32, value: u32) {
        if let Some(word) = self.words.get_mut(index as usize) {
            *word = value;
        }
    }

    fn grow(&mut self, words: u32) -> bool {
        let fits = words <= self.cap;
        if fits && words > self.words() {
            self.words.resize(words as usize, 0);
        }
        fits
    }

    fn copy(&mut self, from: u32, to: u32, count: u32) {
        let (from, to, count) = (from as usize, to as usize, count as usize);
        if from + count <= self.words.len() && to + count <= self.words.len() {
            self.words.copy_within(from..from + count, to);
        }
    }

    fn clear(&mut self, from: u32, count: u32) {
        if let Some(words) = self.words.get_mut(from as usize..from as usize + count as usize) {
            words.fill(0);
        }
    }
}
