//! The network of a private delegate: what the function observes from inside of its VPC, and what keeps it from the API
//! server or from Amazon S3.
//!
//! Both travel between accounts, one of which may be hostile: an observation has no sentence, a cause has no command. Ids are
//! checked before they become part of a command, and texts of others are quotations.

mod cause;
mod observation;
mod words;

pub use cause::{NetworkCause, NetworkTarget};
pub use observation::{DeniedBy, NetworkFailure, NetworkObservations, TargetObservation};

/// The maximum length of a host name (RFC 1035, section 2.3.4).
const LONGEST_HOST: usize = 253;

/// The maximum number of addresses of a name that are kept: S3 answers with up to eight.
pub const ADDRESSES: usize = 8;

/// Whether a text is the id of an EC2 resource: a prefix, and 8 or 17 hexadecimal digits (Amazon EC2 User Guide, "Resource
/// IDs").
#[must_use]
pub fn is_resource_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17)
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Whether a text can be the name or the address of a host.
fn is_host(text: &str) -> bool {
    let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    !text.is_empty() && text.len() <= LONGEST_HOST && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests;
