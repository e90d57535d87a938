//! The number of items per page: halved where the server cannot send a page, and grown back slowly.

/// The default of [`super::ListRequest::page_bytes`]: the size in bytes of a response beyond which the rest is not read, and the page is requested with fewer items.
///
/// An API server builds a page in memory before it sends it, and ends a response after 60 seconds
/// (`--request-timeout`). 2,000 objects of 32 KiB fit; most objects are smaller. Lifeboat itself streams a response
/// and holds one item of it, whatever its size.
pub const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// The number of good pages before the size doubles: a server that has just recovered is not pushed to its limit at
/// once.
const GOOD_PAGES: u32 = 4;

/// The size of the pages of one list.
#[derive(Debug, Clone)]
pub(super) struct PageSize {
    most: u32,
    most_bytes: u64,
    now: u32,
    good: u32,
}

impl PageSize {
    /// Returns the size of the first page.
    pub(super) fn new(most: u32, most_bytes: u64) -> Self {
        Self::resumed(most, most_bytes, most)
    }

    /// Returns the size that an earlier process had reached.
    pub(super) fn resumed(most: u32, most_bytes: u64, now: u32) -> Self {
        let most = most.max(1);
        Self {
            most,
            most_bytes,
            now: now.clamp(1, most),
            good: 0,
        }
    }

    /// Returns the number of items to request.
    pub(super) fn items(&self) -> u32 {
        self.now
    }

    /// Notes that the server failed to send the page.
    pub(super) fn failed(&mut self) {
        self.now = (self.now / 2).max(1);
        self.good = 0;
    }

    /// Notes that the response was too large after `items` items: the next one has at most as many, and at most half
    /// of what was requested.
    pub(super) fn too_large(&mut self, items: u64) {
        let fitted = u32::try_from(items).unwrap_or(u32::MAX);
        self.now = (self.now / 2).min(fitted).max(1);
        self.good = 0;
    }

    /// Returns whether a response of `items` items in `bytes` bytes so far is too large. A page of one item cannot
    /// shrink, and neither can the pages of a server that ignores the limit.
    pub(super) fn is_too_large(&self, items: u64, bytes: u64) -> bool {
        bytes > self.most_bytes && self.now > 1 && items <= u64::from(self.now)
    }

    /// Notes a page of `bytes` bytes. The size grows only if twice as much would not be too large.
    pub(super) fn read(&mut self, bytes: u64) {
        self.good += 1;
        if self.good >= GOOD_PAGES && self.now < self.most && bytes.saturating_mul(2) <= self.most_bytes {
            self.now = self.now.saturating_mul(2).min(self.most);
            self.good = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_halves_down_to_one_and_grows_back_after_good_pages() {
        let mut size = PageSize::new(2000, 1000);
        for expected in [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1, 1] {
            size.failed();
            assert_eq!(size.items(), expected);
        }
        let mut grown = Vec::new();
        for _ in 0..12 {
            size.read(10);
            grown.push(size.items());
        }
        assert_eq!(grown, [1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 8]);
        for _ in 0..100 {
            size.read(10);
        }
        assert_eq!(size.items(), 2000);
    }

    #[test]
    fn pages_of_large_objects_stay_small() {
        let mut size = PageSize::new(2000, 1000);
        assert!(size.is_too_large(64, 1001));
        assert!(!size.is_too_large(64, 1000));
        size.too_large(64);
        assert_eq!(size.items(), 64);
        for _ in 0..20 {
            size.read(999);
        }
        assert_eq!(size.items(), 64);
        size.too_large(0);
        assert_eq!(size.items(), 1);
        assert!(!size.is_too_large(0, 1001), "one item is as small as a page gets");
        let ignored = PageSize::new(10, 1000).is_too_large(11, 1001);
        assert!(!ignored, "the server ignores the limit");
    }
}
