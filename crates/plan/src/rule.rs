//! The rules by their stable ids. Each has one reason, a full sentence, that every line of a plan or
//! report which the rule caused can show.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! rules {
    ($($name:ident = $id:literal, $reason:literal;)*) => {
        /// A rule of the planner. Randomness are stable: a plan or report of today can be read tomorrow.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RuleId { $(#[doc = $reason] $name,)* }

        impl RuleId {
            /// Every rule.
            pub const ALL: &[RuleId] = &[$(RuleId::$name,)*];

            /// The stable id.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(RuleId::$name => $id,)* }
            }

            /// Why the rule exists, a full sentence.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self { $(RuleId::$name => $reason,)* }
            }
        }
    };
}

rules! {
    // What happens to every object.
    ServerMetadata = "server-metadata", "The API server gives every new object its own uid, resourceVersion, generation and times.";
    StatusDropped = "status-dropped", "The status describes the old cluster; the controllers of the target write their own.";
    StatusRestored = "status-restored", "The options ask for the captured status.";
    OwnershipKept = "ownership-kept", "Several managers own fields; the captured entries are written back so that each can still change and remove what is its own.";
    StatusOwnershipDropped = "status-ownership-dropped", "The status is not restored, so nobody owns it yet.";

    // What is not restored.
    Node = "node", "A Node registers itself when its machine joins the cluster.";
    Lease = "lease", "A Lease is held by a living process; its holder renews or takes it in the target.";
    Event = "event", "An Event tells of something that happened in the old cluster.";
    CsiNode = "csi-node", "The kubelet writes the CSINode of its Node.";
    VolumeAttachment = "volume-attachment", "Volumes are attached anew where Pods are scheduled.";
    CertificateRequest = "certificate-request", "A certificate request is answered once; its requester asks again in the target.";
    ObservedState = "observed-state", "The object is observed state that a component of the cluster writes about itself.";
    AllocatedAddress = "allocated-address", "The API server records each Service address it hands out by itself.";
    ServerOwned = "server-owned", "The API server makes and keeps this object by itself.";
    BootstrapRbac = "bootstrap-rbac", "The API server makes its default roles and bindings and reconciles them at each start.";
    BootstrapFlowControl = "bootstrap-flow-control", "The API server makes and updates its default flow control objects.";
    AutomanagedApiService = "automanaged-api-service", "The API server registers the groups that it serves itself.";
    SystemPriorityClass = "system-priority-class", "The API server makes the priority classes of the system.";
    KubernetesService = "kubernetes-service", "The API server maintains its own Service and its endpoints.";
    RootCertificate = "root-certificate", "A controller publishes the target's own certificate authority in every namespace.";
    EndpointsOfSelector = "endpoints-of-selector", "A controller writes the endpoints of a Service that has a selector.";
    MirroredSlice = "mirrored-slice", "A controller mirrors Endpoints into this slice.";
    ChildOfController = "child-of-controller", "A built-in controller makes this object from its owner; restoring it too would double it.";
    DependantOfChild = "dependant-of-child", "It belongs to an object that its controller makes anew under another uid, and would be an orphan.";
    MirrorPod = "mirror-pod", "The kubelet mirrors a static Pod of its own machine.";
    FinishedPod = "finished-pod", "The Pod has finished and would run again.";
    FinishedJobExpires = "finished-job-expires", "The Job has finished and has a time to live, after which its controller removes it.";
    ReleasedVolume = "released-volume", "The volume's claim is gone, and its reclaim policy would delete what it holds.";
    Terminating = "terminating", "The object was being deleted when it was captured.";
    TerminatingNamespace = "terminating-namespace", "Its namespace was being deleted when it was captured.";
    ReadOnlyType = "read-only-type", "Objects of this type cannot be created through the API.";
    NestedTooDeep = "nested-too-deep", "It is nested deeper than 127 levels, which a plan cannot take; `lifeboat cat` gives it out as it was captured.";
    TypeNotServed = "type-not-served", "The target does not serve this type, and no CustomResourceDefinition of the plan defines it.";
    VersionNotServed = "version-not-served", "The target serves no version of this type into which the captured object goes without loss.";
    NamespaceMerged = "namespace-merged", "Several namespaces become one; the Namespace object of another one is used.";
    DefaultAccountMerged = "default-account-merged", "Several namespaces become one; the default ServiceAccount of another one is used.";

    // What is changed in the object itself.
    MapNamespace = "map-namespace", "The options give the namespace another name.";
    Patch = "patch", "A patch of the options changes it.";
    NamespaceNameLabel = "namespace-name-label", "The API server sets this label to the name of the namespace.";
    OwnerRestored = "owner-restored", "The owner gets a new uid in the target, and the reference follows it.";
    OwnerNotRestored = "owner-not-restored", "The owner is not restored; with a dangling reference the object would be deleted as garbage.";
    OwnerElsewhere = "owner-elsewhere", "The owner is in another namespace or of another kind than the reference says; the object would be deleted as garbage.";
    OwnerCycle = "owner-cycle", "The owners form a circle, which no order of creation can build.";
    OwnerOfClaim = "owner-of-claim", "The StatefulSet's controller adds itself to the claims that it owns.";
    VolumeBinding = "volume-binding", "The volume is reserved for its claim by name; the controller binds the claim of the target, which has another uid.";
    ClaimBinding = "claim-binding", "The controller binds the claim again to the volume it names; marked as bound already, it would count as lost.";
    SelectedNode = "selected-node", "The node that was selected for the volume belongs to the old cluster.";
    ClusterIpKept = "cluster-ip-kept", "The address is free in the target's range.";
    ClusterIpReleased = "cluster-ip-released", "The target cannot give this address; it allocates another.";
    ClusterIpMoved = "cluster-ip-moved", "Nodes know the DNS Service by its place in the range, so it keeps its place in the target's range.";
    IpFamilyReleased = "ip-family-released", "The target does not offer every IP family of the Service.";
    NodePortReleased = "node-port-released", "The port is outside the target's range or taken; the target allocates another.";
    TokenData = "token-data", "The target signs its own token for the account; the old one is worthless there.";
    AccountSecret = "account-secret", "The Secret is not restored, so the account no longer names it.";
    JobSelector = "job-selector", "The Job's controller generates selector and labels from the new uid.";
    JobFinished = "job-finished", "The Job has finished: it is created suspended and gets its captured status, so that nothing runs again.";
    PodNode = "pod-node", "The scheduler of the target picks a node.";
    PodPriority = "pod-priority", "Admission computes the priority from the class.";
    PodToken = "pod-token", "Admission injects the volume with the account's token.";
    PodEphemeralContainers = "pod-ephemeral-containers", "Ephemeral containers cannot be part of a new Pod.";
    OtherVersion = "other-version", "The target does not serve the captured version; the object goes there in another version that both know.";

    // What happens with what exists.
    ExistingKept = "existing-kept", "The object exists in the target and the options say to keep it.";
    ExistingUpdated = "existing-updated", "The object exists in the target and the options say to update it.";
    ExistingRecreated = "existing-recreated", "The object exists in the target and the options say to make it anew.";
    ExistingNotRecreated = "existing-not-recreated", "Deleting it would take with it what it holds or defines, so it is updated although the options say to make it anew.";
    MadeByTarget = "made-by-target", "The target's own controllers make this object too; it is brought to the planned state.";
    WithOwner = "with-owner", "The object follows its owner into a later wave.";
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RuleId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::ALL
            .iter()
            .copied()
            .find(|rule| rule.as_str() == text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a rule")))
    }
}

impl JsonSchema for RuleId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RuleId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[a-z]+(-[a-z]+)*$" })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::RuleId;

    #[test]
    fn ids_are_unique_kebab_case_and_reasons_are_sentences() {
        let mut seen = std::collections::BTreeSet::new();
        for rule in RuleId::ALL {
            let id = rule.as_str();
            assert!(seen.insert(id), "{id} is used twice");
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{id}");
            let reason = rule.reason();
            assert!(
                reason.ends_with('.') && reason.starts_with(char::is_uppercase),
                "{id}: {reason}"
            );
            let text = serde_json::to_string(rule).unwrap();
            assert_eq!(serde_json::from_str::<RuleId>(&text).unwrap(), *rule);
        }
    }
}
