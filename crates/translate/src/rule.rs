//! The rules by which identifiers are rewritten, in the order in which they are tried.

/// The rule that rewrote an identifier. At one place of a text the first rule in the order of [`Rule::ALL`] that knows
/// the identifier decides, and no later one is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The options rename the namespace.
    Namespace,
    /// A known field holds a name that the map lists.
    Name,
    /// The map lists the ARN, or one that it begins with.
    Arn,
    /// The ARN names a resource that the map lists by id or name, or that has the same name on both sides.
    ArnOfResource,
    /// The host name is that of the primary's registry.
    Registry,
    /// The map lists the host name, or it is the Regional endpoint of a service.
    Host,
    /// The URL names a queue or bucket that the map lists, or that has the same name on both sides.
    Url,
    /// The map lists the Availability Zone.
    Zone,
    /// The map lists the id.
    Id,
    /// The Region of the primary as a whole token.
    Region,
    /// The account of the primary as a whole token.
    Account,
}

impl Rule {
    /// Every rule, in the order in which they are tried.
    pub const ALL: [Self; 11] = [
        Self::Namespace,
        Self::Name,
        Self::Arn,
        Self::ArnOfResource,
        Self::Registry,
        Self::Host,
        Self::Url,
        Self::Zone,
        Self::Id,
        Self::Region,
        Self::Account,
    ];
}
