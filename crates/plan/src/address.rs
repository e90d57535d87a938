//! IP ranges for Services: membership, and the offset of an address in a range.

use std::net::IpAddr;

/// A CIDR range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    base: IpAddr,
    prefix: u8,
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

impl Range {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = text.trim().split_once('/')?;
        let base: IpAddr = base.parse().ok()?;
        let prefix: u8 = prefix.parse().ok()?;
        (u32::from(prefix) <= bits(base)).then_some(Self { base, prefix })
    }

    fn size_bits(self) -> u32 {
        bits(self.base) - u32::from(self.prefix)
    }

    fn first(self) -> u128 {
        let mask = u128::MAX.checked_shl(self.size_bits()).unwrap_or(0);
        number(self.base) & mask
    }

    pub(crate) fn is_v6(self) -> bool {
        self.base.is_ipv6()
    }

    /// Returns whether a Service may have the address: it is inside the range, is not the first address (the network)
    /// and, in IPv4, not the last (broadcast). `ipallocator` of Kubernetes reserves both.
    pub(crate) fn holds(self, ip: IpAddr) -> bool {
        if ip.is_ipv6() != self.is_v6() {
            return false;
        }
        let Some(place) = number(ip).checked_sub(self.first()) else {
            return false;
        };
        let inside = place.checked_shr(self.size_bits()).unwrap_or(0) == 0;
        let last = !self.is_v6() && self.size_bits() < 128 && place + 1 == 1_u128 << self.size_bits();
        inside && place != 0 && !last
    }

    /// Returns the address at offset `place` from the network address.
    pub(crate) fn at(self, place: u128) -> Option<IpAddr> {
        let value = self.first().checked_add(place)?;
        let ip = match self.base {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(value).ok()?.into()),
            IpAddr::V6(_) => IpAddr::V6(value.into()),
        };
        self.holds(ip).then_some(ip)
    }
}

fn bits(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// Returns the offset of an address in the range whose first usable address is `first`.
pub(crate) fn place_after(first: IpAddr, ip: IpAddr) -> Option<u128> {
    (first.is_ipv4() == ip.is_ipv4())
        .then(|| number(ip).checked_sub(number(first)))??
        .checked_add(1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn membership_leaves_out_the_network_and_the_broadcast_address() {
        let range = Range::parse("10.96.0.0/12").unwrap();
        for (ip, expected) in [
            ("10.96.0.0", false),
            ("10.96.0.1", true),
            ("10.111.255.254", true),
            ("10.111.255.255", false),
            ("10.112.0.1", false),
            ("fd00::1", false),
        ] {
            assert_eq!(range.holds(ip.parse().unwrap()), expected, "{ip}");
        }
        assert!(
            Range::parse("fd00:1::/108")
                .unwrap()
                .holds("fd00:1::f:ffff".parse().unwrap())
        );
        assert!(Range::parse("::/0").unwrap().holds("ffff::1".parse().unwrap()));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8", ""] {
            assert_eq!(Range::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_keeps_its_place_in_another_range() {
        let place = place_after("10.100.0.1".parse().unwrap(), "10.100.0.10".parse().unwrap()).unwrap();
        assert_eq!(place, 10);
        assert_eq!(
            Range::parse("172.20.0.0/16").unwrap().at(place),
            Some("172.20.0.10".parse().unwrap())
        );
        assert_eq!(Range::parse("172.20.0.0/29").unwrap().at(place), None);
        assert_eq!(
            Range::parse("fd00::/108").unwrap().at(10),
            Some("fd00::a".parse().unwrap())
        );
        assert_eq!(
            place_after("fd00::1".parse().unwrap(), "10.100.0.10".parse().unwrap()),
            None
        );
    }
}
