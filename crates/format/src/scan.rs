//! The scanner: finds the end of a JSON value without parsing its content. This is the only loop that
//! processes every byte of a capture.
//!
//! Blocks of 64 bytes are converted to bit masks, one bit for each byte (the method of simdjson, "Parsing
//! Gigabytes of JSON per Second", Langdale and Lemire 2019), in plain integer arithmetic because this
//! workspace forbids unsafe code. A prefix XOR over the quotes finds the strings, and only brackets outside
//! of strings are counted.

const BLOCK: usize = 64;

/// The maximum nesting depth of a value. The API server's own decoder stops at 10,000 (`encoding/json`,
/// `maxNestingDepth`), so no object of a cluster is nested deeper.
pub(crate) const MAX_DEPTH: u32 = 10_000;

/// The state of a scan at the end of the bytes read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

/// The result of processing a piece of input with a [`Scan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The value ends before this offset.
    Ended(usize),
    /// The value continues after the input.
    More,
    /// The value is nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl Scan {
    /// Creates a scan that starts at the opening bracket of an object or array.
    pub(crate) fn container() -> Self {
        Self::default()
    }

    /// Processes `bytes` until the container that the scan began with is closed. The first byte of the first
    /// call must be the opening bracket.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Step {
        let mut at = 0;
        let (blocks, tail) = bytes.as_chunks::<BLOCK>();
        for block in blocks {
            match self.block(block, BLOCK) {
                Step::More => at += BLOCK,
                Step::Ended(end) => return Step::Ended(at + end),
                Step::TooDeep => return Step::TooDeep,
            }
        }
        if tail.is_empty() {
            return Step::More;
        }
        // Spaces do not affect the scan, inside or outside of strings.
        let mut padded = [b' '; BLOCK];
        padded[..tail.len()].copy_from_slice(tail);
        match self.block(&padded, tail.len()) {
            Step::Ended(end) => Step::Ended(at + end),
            other => other,
        }
    }

    fn block(&mut self, block: &[u8; BLOCK], length: usize) -> Step {
        let masks = BlockMasks::of(block);
        let escaped = escaped_bits(masks.backslash, self.escaped);
        let quotes = masks.quote & !escaped.bits;
        let inside = prefix_xor(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        let mut open = masks.open & !inside;
        let mut close = masks.close & !inside;

        if self.depth > close.count_ones() {
            // The value cannot end in this block, so counting is sufficient.
            self.depth = self.depth + open.count_ones() - close.count_ones();
            if self.depth > MAX_DEPTH {
                return Step::TooDeep;
            }
        } else {
            while (open | close) != 0 {
                if open.trailing_zeros() < close.trailing_zeros() {
                    self.depth += 1;
                    open &= open - 1;
                } else {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Step::Ended(close.trailing_zeros() as usize + 1);
                    }
                    close &= close - 1;
                }
            }
        }
        self.in_string = inside >> (BLOCK - 1) == 1;
        self.escaped = if length == BLOCK {
            escaped.carry
        } else {
            (escaped.bits >> length) & 1 == 1
        };
        Step::More
    }
}

struct BlockMasks {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

impl BlockMasks {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        Self {
            quote: equal_bits(block, 0, b'"'),
            // Most blocks contain no backslash, and the check is cheaper than building the mask.
            backslash: if block.iter().fold(false, |any, byte| any | (*byte == b'\\')) {
                equal_bits(block, 0, b'\\')
            } else {
                0
            },
            // '[' and '{', and ']' and '}', differ only in bit 0x20.
            open: equal_bits(block, 0x20, b'{'),
            close: equal_bits(block, 0x20, b'}'),
        }
    }
}

/// Returns one bit for each byte that equals `byte` after the bits of `or` are set; bit 0 is the first byte.
#[inline]
fn equal_bits(block: &[u8; BLOCK], or: u8, byte: u8) -> u64 {
    // The compiler vectorizes this loop.
    let mut flags = [0_u8; BLOCK];
    for (flag, found) in flags.iter_mut().zip(block) {
        *flag = u8::from((found | or) == byte);
    }
    let (words, _) = flags.as_chunks::<8>();
    words.iter().enumerate().fold(0, |bits, (index, word)| {
        // The multiplication moves the low bits of eight bytes into the top byte.
        let gathered = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits | (gathered << (index * 8))
    })
}

struct Escaped {
    bits: u64,
    carry: bool,
}

/// Returns the bits of the bytes that follow an unescaped backslash. `carry` is the bit of the first byte
/// after the block.
#[inline]
fn escaped_bits(backslash: u64, carried: bool) -> Escaped {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let carried = u64::from(carried);
    if backslash == 0 {
        return Escaped {
            bits: carried,
            carry: false,
        };
    }
    let backslash = backslash & !carried;
    let follows = (backslash << 1) | carried;
    let odd_starts = backslash & !EVEN & !follows;
    let (even_sequences, carry) = odd_starts.overflowing_add(backslash);
    Escaped {
        bits: (EVEN ^ (even_sequences << 1)) & follows,
        carry,
    }
}

/// Returns the parity of bits 0 to i in bit i.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    bits
}

/// Returns the offset after the string whose opening quote is the first byte of `bytes`.
pub(crate) fn string_end(bytes: &[u8]) -> Option<usize> {
    /// Most keys and values are shorter. For these, a plain loop is faster than starting a vector search.
    const SHORT: usize = 16;
    let mut at = 1;
    for byte in bytes.iter().skip(1).take(SHORT) {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => break,
            _ => at += 1,
        }
    }
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// Whether a byte is white space between JSON tokens (RFC 8259, section 2).
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reference implementation that processes one byte at a time.
    fn plain(bytes: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut after_backslash) = (0_i64, false, false);
        for (at, byte) in bytes.iter().enumerate() {
            // An escape outside of a string, which is not valid JSON, counts as it does in the masks.
            let escaped = std::mem::replace(&mut after_backslash, false);
            match byte {
                b'\\' | b'"' if escaped => {}
                b'\\' => after_backslash = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(b"\"".to_vec()), 3 => Just(b"\\".to_vec()), 2 => Just(b"\\\\".to_vec()),
            2 => Just(b"{".to_vec()), 2 => Just(b"}".to_vec()), 1 => Just(b"[".to_vec()),
            1 => Just(b"]".to_vec()), 3 => Just(b"0123456789abcdefghijklmnop".to_vec()),
            1 => Just("é{\u{7f}".as_bytes().to_vec()), 1 => Just(vec![0xdb, 0xfd, 0xa2, 0xdc])
        ];
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| {
            let mut text = b"{".to_vec();
            text.extend(pieces.concat());
            text
        })
    }

    proptest! {
        #[test]
        fn blocks_find_the_same_end_as_single_bytes(text in text(), cut in 0_usize..200) {
            let expected = plain(&text).map_or(Step::More, Step::Ended);
            prop_assert_eq!(Scan::container().advance(&text), expected);

            let (first, second) = text.split_at(cut.min(text.len()));
            let mut scan = Scan::container();
            let in_two = match scan.advance(first) {
                Step::More => match scan.advance(second) {
                    Step::Ended(end) => Step::Ended(first.len() + end),
                    other => other,
                },
                other => other,
            };
            prop_assert_eq!(in_two, expected);
        }
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(
            Scan::container().advance(&vec![b'['; MAX_DEPTH as usize + 100]),
            Step::TooDeep
        );
        let mut deep = vec![b'['; 9_000];
        deep.extend(vec![b']'; 9_000]);
        assert_eq!(Scan::container().advance(&deep), Step::Ended(18_000));
    }

    #[test]
    fn a_string_ends_at_its_own_quote() {
        assert_eq!(string_end(br#""a\"b\\" tail"#), Some(8));
        assert_eq!(string_end(br#""a\"#), None);
        assert_eq!(string_end(br#""a\""#), None);
        assert_eq!(string_end(b"\""), None);
    }
}
