//! Each rule of a restore, on real API servers: objects of one cluster are restored into another.

#[path = "restore/support.rs"]
mod support;

#[path = "restore/complete.rs"]
mod complete;
#[path = "restore/controllers.rs"]
mod controllers;
#[path = "restore/eks.rs"]
mod eks;
#[path = "restore/existing.rs"]
mod existing;
#[path = "restore/faults.rs"]
mod faults;
#[path = "restore/interrupted.rs"]
mod interrupted;
#[path = "restore/lease.rs"]
mod lease;
#[path = "restore/leftovers.rs"]
mod leftovers;
#[path = "restore/mutations.rs"]
mod mutations;
#[path = "restore/network.rs"]
mod network;
#[path = "restore/order.rs"]
mod order;
#[path = "restore/ownership.rs"]
mod ownership;
#[path = "restore/rbac.rs"]
mod rbac;
#[path = "restore/refused.rs"]
mod refused;
#[path = "restore/rewritten.rs"]
mod rewritten;
#[path = "restore/rollouts.rs"]
mod rollouts;
#[path = "restore/schemas.rs"]
mod schemas;
#[path = "restore/statuses.rs"]
mod statuses;
#[path = "restore/versions.rs"]
mod versions;
