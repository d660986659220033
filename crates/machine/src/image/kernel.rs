//! The kernel as QEMU's direct start wants it: the plain ELF file inside Debian's bzImage.

use std::io;

/// Where a bzImage's header says how many sectors of set-up code there are, and where the payload lies.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// The old framing of LZ4, which the kernel's build uses: blocks of at most 8 MiB.
const LZ4_LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
const LZ4_BLOCK: usize = 8 << 20;

/// No kernel is larger than this once unpacked.
const LARGEST: usize = 256 << 20;

/// Unpacks the kernel that a bzImage carries.
///
/// # Errors
/// If it is no bzImage, is packed by another method than LZ4, or is damaged.
pub(super) fn extract(image: &[u8]) -> io::Result<Vec<u8>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("kernel: {what}"));
    let word = |at: usize| {
        let bytes = image.get(at..at + 4).and_then(|b| b.first_chunk::<4>()).ok_or_else(|| bad("too short"))?;
        Ok::<_, io::Error>(u32::from_le_bytes(*bytes) as usize)
    };
    if image.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        return Err(bad("not a bzImage"));
    }
    let sectors = match image[SETUP_SECTORS] {
        0 => 4,
        count => usize::from(count),
    };
    let start = (sectors + 1) * 512 + word(PAYLOAD_OFFSET)?;
    let end = start.checked_add(word(PAYLOAD_LENGTH)?).ok_or_else(|| bad("payload length"))?;
    let payload = image.get(start..end).ok_or_else(|| bad("payload beyond the end"))?;
    let mut blocks = payload.strip_prefix(&LZ4_LEGACY).ok_or_else(|| bad("packed by a method that is not supported (LZ4 is)"))?;

    let mut kernel: Vec<u8> = Vec::new();
    // The last four bytes of the payload are the unpacked length.
    while blocks.len() > 4 {
        let length = u32::from_le_bytes(*blocks.first_chunk().ok_or_else(|| bad("cut short"))?) as usize;
        if blocks[..4] == LZ4_LEGACY {
            blocks = &blocks[4..];
            continue;
        }
        let Some(block) = blocks.get(4..4 + length) else { break };
        let mut plain = vec![0; LZ4_BLOCK];
        let count = lz4_flex::block::decompress_into(block, &mut plain).map_err(|error| bad(&error.to_string()))?;
        kernel.extend_from_slice(&plain[..count]);
        if kernel.len() > LARGEST {
            return Err(bad("larger than any kernel"));
        }
        blocks = &blocks[4 + length..];
    }
    if !kernel.starts_with(b"\x7fELF") {
        return Err(bad("what it carries is no ELF file"));
    }
    Ok(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage around a payload packed as the kernel's build does it.
    fn wrap(kernel: &[u8]) -> Vec<u8> {
        let packed = lz4_flex::block::compress(kernel);
        let mut payload = LZ4_LEGACY.to_vec();
        payload.extend((packed.len() as u32).to_le_bytes());
        payload.extend(packed);
        payload.extend((kernel.len() as u32).to_le_bytes());
        let mut image = vec![0; 1024 + 16];
        image[SETUP_SECTORS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&16u32.to_le_bytes());
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend(payload);
        image
    }

    #[test]
    fn the_kernel_comes_out_as_it_went_in() {
        let mut kernel = b"\x7fELF".to_vec();
        kernel.extend((0..100_000u32).flat_map(|n| (n / 7).to_le_bytes()));
        assert_eq!(extract(&wrap(&kernel)).expect("unpacks"), kernel);
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let good = wrap(b"\x7fELFsmall kernel, small kernel, small kernel");
        for cut in 0..good.len() - 5 {
            assert!(extract(&good[..cut]).is_err(), "cut at {cut}");
        }
    }
}
