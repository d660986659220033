//! The text a pattern is matched against, as code units, wherever it lies.

/// A text of one- or two-byte code units. Implementations must be cheap to copy.
pub trait Text: Copy {
    /// Whether a code unit can be above 255.
    const WIDE: bool;

    /// How many code units there are.
    fn len(self) -> u32;

    /// Whether there are none.
    fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The code unit at `index`, 0 if there is none.
    fn unit(self, index: u32) -> u32;

    /// The first place from `from` and below `to` where `unit` stands.
    fn find(self, unit: u32, from: u32, to: u32) -> Option<u32> {
        (from..to).find(|&i| self.unit(i) == unit)
    }

    /// The first place from `from` and below `to` where one of three code units stands.
    fn find_any(self, units: [u32; 3], from: u32, to: u32) -> Option<u32> {
        (from..to).find(|&i| units.contains(&self.unit(i)))
    }
}

/// Latin-1: a byte is a code unit.
impl Text for &[u8] {
    const WIDE: bool = false;

    #[inline(always)]
    fn len(self) -> u32 {
        <[u8]>::len(self) as u32
    }

    #[inline(always)]
    fn unit(self, index: u32) -> u32 {
        self.get(index as usize).map_or(0, |&b| u32::from(b))
    }

    #[inline]
    fn find(self, unit: u32, from: u32, to: u32) -> Option<u32> {
        let unit = u8::try_from(unit).ok()?;
        let found = memchr::memchr(unit, self.get(from as usize..to as usize)?)?;
        Some(from + found as u32)
    }

    #[inline]
    fn find_any(self, units: [u32; 3], from: u32, to: u32) -> Option<u32> {
        let [a, b, c] = units.map(|u| u as u8);
        let found = memchr::memchr3(a, b, c, self.get(from as usize..to as usize)?)?;
        Some(from + found as u32)
    }
}

/// UTF-16.
impl Text for &[u16] {
    const WIDE: bool = true;

    #[inline(always)]
    fn len(self) -> u32 {
        <[u16]>::len(self) as u32
    }

    #[inline(always)]
    fn unit(self, index: u32) -> u32 {
        self.get(index as usize).map_or(0, |&u| u32::from(u))
    }

    #[inline]
    fn find(self, unit: u32, from: u32, to: u32) -> Option<u32> {
        let unit = u16::try_from(unit).ok()?;
        let found = self.get(from as usize..to as usize)?.iter().position(|&u| u == unit)?;
        Some(from + found as u32)
    }
}
