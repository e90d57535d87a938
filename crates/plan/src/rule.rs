//! The rules with their stable IDs. Each has one reason, a full sentence, which is shown with every line of a plan or
//! report that the rule causes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! rules {
    ($($name:ident = $id:literal, $reason:literal;)*) => {
        /// A rule of the planner. IDs are stable: later versions read plans and reports of earlier ones.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RuleId { $(#[doc = $reason] $name,)* }

        impl RuleId {
            /// Every rule.
            pub const ALL: &[RuleId] = &[$(RuleId::$name,)*];

            /// Returns the stable ID.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(RuleId::$name => $id,)* }
            }

            /// Returns the reason of the rule, a full sentence.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self { $(RuleId::$name => $reason,)* }
            }
        }
    };
}

rules! {
    // Every object.
    ServerMetadata = "server-metadata", "The API server sets uid, resourceVersion, generation and timestamps of every new object.";
    StatusDropped = "status-dropped", "The status describes the source cluster; the controllers of the target write a new one.";
    StatusRestored = "status-restored", "The options request the captured status.";
    OwnershipKept = "ownership-kept", "The captured managedFields entries are written back, so that each manager can still change and remove its fields and no other one owns them.";
    OwnershipNone = "ownership-none", "No manager owned fields of the captured object; none owns them in the target.";
    OwnershipVersion = "ownership-version", "The managedFields entry is written in the version of the object, which has the same field names: the API server would drop it in its own version.";
    OwnershipLeftOut = "ownership-left-out", "The managedFields entry is left out: the target has no version of the type in which its field names mean the same.";
    StatusOwnershipDropped = "status-ownership-dropped", "The status is not restored, so its field ownership is dropped.";

    // Objects that are not restored.
    Node = "node", "A Node registers itself when its machine joins the cluster.";
    Lease = "lease", "A running process holds the Lease; its holder acquires it in the target.";
    Event = "event", "The Event describes the source cluster.";
    CsiNode = "csi-node", "The kubelet writes the CSINode of its Node.";
    NodeClaim = "node-claim", "Karpenter creates a NodeClaim for each instance that it launches; this one stands for an instance of the source.";
    VolumeAttachment = "volume-attachment", "Volumes are attached again where Pods are scheduled.";
    CertificateRequest = "certificate-request", "A certificate request is answered once; the requester creates a new one in the target.";
    ObservedState = "observed-state", "A component of the cluster writes this object to report its own state.";
    AllocatedAddress = "allocated-address", "The API server records each Service address that it allocates.";
    ServerOwned = "server-owned", "The API server creates and maintains this object.";
    BootstrapRbac = "bootstrap-rbac", "The API server creates its default roles and bindings and reconciles them at each start.";
    BootstrapFlowControl = "bootstrap-flow-control", "The API server creates and updates its default flow control objects.";
    AutomanagedApiService = "automanaged-api-service", "The API server registers the API groups that it serves.";
    EksManaged = "eks-managed", "EKS manages this object in each cluster; the target keeps its own.";
    SystemPriorityClass = "system-priority-class", "The API server creates the system priority classes.";
    KubernetesService = "kubernetes-service", "The API server maintains its own Service and its endpoints.";
    RootCertificate = "root-certificate", "A controller publishes the target's own certificate authority in every namespace.";
    EndpointsOfSelector = "endpoints-of-selector", "A controller writes the endpoints of a Service that has a selector.";
    MirroredSlice = "mirrored-slice", "A controller mirrors Endpoints into this slice.";
    FinishedRun = "finished-run", "The run of the CronJob has finished; its history is not restored.";
    ChildOfController = "child-of-controller", "A built-in controller creates this object from its owner; restoring it would duplicate it.";
    DependantOfChild = "dependant-of-child", "A controller recreates its owner under another uid, so it would be an orphan.";
    MirrorPod = "mirror-pod", "The kubelet mirrors a static Pod of its own node.";
    FinishedPod = "finished-pod", "The Pod has finished and would run again.";
    FinishedJobExpires = "finished-job-expires", "The Job has finished, and its controller deletes it after ttlSecondsAfterFinished.";
    ReleasedVolume = "released-volume", "The volume's claim is deleted, and the reclaim policy would delete the data.";
    Terminating = "terminating", "The object was being deleted when it was captured.";
    TerminatingNamespace = "terminating-namespace", "Its namespace was being deleted when it was captured.";
    NamespaceAbsent = "namespace-absent", "Its namespace did not exist when it was captured.";
    ReadOnlyType = "read-only-type", "Objects of this type cannot be created through the API.";
    NestedTooDeep = "nested-too-deep", "The object is nested deeper than 127 levels, which a plan does not support; `lifeboat cat` prints it as captured.";
    TypeNotServed = "type-not-served", "The target does not serve this type, and no CustomResourceDefinition of the plan defines it.";
    VersionNotServed = "version-not-served", "The target serves no version of this type that the captured object converts to without loss.";
    NamespaceMerged = "namespace-merged", "Several namespaces are mapped to one name; the Namespace object of another one is used.";
    DefaultAccountMerged = "default-account-merged", "Several namespaces are mapped to one name; the default ServiceAccount of another one is used.";

    // Changes to the object itself.
    MapNamespace = "map-namespace", "The options rename the namespace.";
    Patch = "patch", "A patch of the options changes the field.";
    TranslateName = "translate-name", "The field holds the name of an AWS resource of the primary; the identity map lists its counterpart.";
    TranslateArn = "translate-arn", "The identity map lists the counterpart of the ARN.";
    TranslateArnOfResource = "translate-arn-of-resource", "The ARN names a resource of the primary whose counterpart the identity map lists, or that has the same name in the recovery environment.";
    TranslateRegistry = "translate-registry", "The image is in the registry of the primary; that of the recovery environment holds it under the same name.";
    TranslateHost = "translate-host", "The identity map lists the counterpart of the host name, or it is the endpoint of a service in the Region of the primary.";
    TranslateUrl = "translate-url", "The URL names a queue or bucket of the primary whose counterpart is known.";
    TranslateZone = "translate-zone", "The identity map lists the counterpart of the Availability Zone.";
    TranslateId = "translate-id", "The identity map lists the counterpart of the id.";
    TranslateRegion = "translate-region", "The text is the Region of the primary.";
    TranslateAccount = "translate-account", "The text is the account of the primary.";
    IrsaToPodIdentity = "irsa-to-pod-identity", "An association of EKS Pod Identity gives the role to the Pods of the service account, instead of this annotation.";
    NamespaceNameLabel = "namespace-name-label", "The API server sets this label to the name of the namespace.";
    OwnerRestored = "owner-restored", "The owner has a new uid in the target, and the reference is updated.";
    OwnerNotRestored = "owner-not-restored", "The owner is not restored; garbage collection would delete an object with a dangling reference.";
    OwnerElsewhere = "owner-elsewhere", "The reference does not match the owner's namespace or kind; garbage collection would delete the object.";
    OwnerCycle = "owner-cycle", "The owner references form a cycle, so the objects cannot be created in order.";
    OwnerOfClaim = "owner-of-claim", "The StatefulSet's controller adds itself to the claims that it owns.";
    VolumeBinding = "volume-binding", "The volume stays reserved for its claim by name; the controller binds the claim of the target, which has another uid.";
    ClaimBinding = "claim-binding", "The controller binds the claim again to the volume it names; with this annotation it would mark the claim as Lost.";
    SelectedNode = "selected-node", "The node selected for the volume belongs to the source cluster.";
    ClusterIpKept = "cluster-ip-kept", "The address is free in the target's range.";
    ClusterIpReleased = "cluster-ip-released", "The target cannot allocate this address; it allocates another one.";
    ClusterIpMoved = "cluster-ip-moved", "The kubelet finds the DNS Service by its offset in the Service range, so it keeps that offset in the target's range.";
    IpFamilyReleased = "ip-family-released", "The target does not support every IP family of the Service.";
    NodePortReleased = "node-port-released", "The port is outside the target's range or in use; the target allocates another one.";
    TokenData = "token-data", "The target issues its own token for the ServiceAccount; the captured one is not valid there.";
    AccountSecret = "account-secret", "The Secret is not restored, so the reference of the ServiceAccount is removed.";
    JobSelector = "job-selector", "The Job's controller generates selector and labels from the new uid.";
    JobFinished = "job-finished", "The Job has finished: it is created suspended with its captured status, so that it does not run again.";
    SnapshotRestored = "snapshot-restored", "The volume snapshot exists already: the object refers to it by its handle or name, so that no driver takes a new one.";
    PodNode = "pod-node", "The scheduler of the target selects a node.";
    JobContinued = "job-continued", "The Job had done a part of its work: it is created suspended with that part of its status, so that it is not done again.";
    PodPriority = "pod-priority", "Admission sets priority and preemption policy from the PriorityClass.";
    PodClassDeleted = "pod-class-deleted", "The PriorityClass was deleted while the Pod was running; admission rejects a Pod that names it.";
    PodRuntimeClass = "pod-runtime-class", "Admission sets this field from the RuntimeClass as it is today.";
    PodToken = "pod-token", "Admission injects the volume with the ServiceAccount token.";
    PodEphemeralContainers = "pod-ephemeral-containers", "Ephemeral containers cannot be part of a new Pod.";
    OtherVersion = "other-version", "The target does not serve the captured version; the object is written in another version that both clusters serve.";

    // Fields that are set later.
    DefaultDeferred = "default-deferred", "The class becomes the default after objects without a class are created, so that it is not given to those that are older.";
    RevisionHeld = "revision-held", "The rollout of the StatefulSet is held by its partition: it is created without Pods and with the template of the revision that its Pods below the partition run, and gets its template and its number of Pods once its controller has recorded that revision.";
    PodSecurityDeferred = "pod-security-deferred", "The Pod Security Standard of the namespace is enforced after its Pods exist, so that it does not reject those that are older.";

    // Objects that exist in the target.
    ExistingKept = "existing-kept", "The object exists in the target and the options say to keep it.";
    ExistingUpdated = "existing-updated", "The object exists in the target and the options say to update it.";
    ExistingRecreated = "existing-recreated", "The object exists in the target and the options say to recreate it.";
    ExistingNotRecreated = "existing-not-recreated", "Deleting the object would delete what it contains or defines, so it is updated although the options say to recreate it.";
    AwsAuthAdded = "aws-auth-added", "EKS lets nodes into each cluster; entries that users added in the source are added to those of the target, with the ARNs of the recovery environment.";
    DefaultRbacAdded = "default-rbac-added", "The API server of the target makes this default role or binding; what was added to it in the source is added to it.";
    MadeByTarget = "made-by-target", "The controllers of the target create this object too; it is updated to the planned state.";
    AgeOrder = "age-order", "Age decides between objects of this kind, so that they are created in the order of their age.";
    WithOwner = "with-owner", "The object is restored in the later wave of its owner.";
}

impl RuleId {
    /// Returns whether the rule translates identifiers of the primary.
    #[must_use]
    pub fn is_translation(self) -> bool {
        matches!(
            self,
            Self::TranslateName
                | Self::TranslateArn
                | Self::TranslateArnOfResource
                | Self::TranslateRegistry
                | Self::TranslateHost
                | Self::TranslateUrl
                | Self::TranslateZone
                | Self::TranslateId
                | Self::TranslateRegion
                | Self::TranslateAccount
        )
    }
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
