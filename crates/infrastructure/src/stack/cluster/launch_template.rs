//! Launch templates of node groups. User data is kept; what names the primary in it is translated, and what is known
//! only once the cluster exists is filled in by the stack.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lifeboat_model::Code;
use lifeboat_translate::identity::symbol;
use serde_json::{Map, Value, json};

use super::nodes::key_pair;
use crate::builder::Builder;
use crate::description::Hidden;
use crate::description::cluster::Cluster;
use crate::description::launch_template::{
    BlockDeviceMapping, LaunchTemplate, LaunchTemplateData, NetworkInterface,
};
use crate::description::nodes::Nodegroup;
use crate::names;
use crate::stack::json;
use crate::template::{Resource, attribute, pascal_keys};

/// A launch template of the stack.
pub(super) struct Made {
    /// Its logical id.
    pub(super) logical: String,
    /// Whether it names an image.
    pub(super) has_image: bool,
}

/// Returns the launch template of a node group, and adds it to the stack.
pub(super) fn of(builder: &mut Builder<'_, '_>, cluster: &Cluster, group: &Nodegroup) -> Option<Made> {
    let named = group.launch_template.as_ref()?;
    let all = builder.context.descriptions;
    let found = all.launch_templates.iter().find(|template| {
        let is_id = named.id.as_deref() == Some(template.launch_template_id.as_str());
        let is_name =
            named.id.is_none() && named.name.as_deref() == Some(template.launch_template_name.as_str());
        let version = template.version_number.to_string();
        (is_id || is_name) && named.version.as_deref().is_none_or(|wanted| wanted == version)
    });
    let Some(template) = found else {
        let id = named.id.as_deref().or(named.name.as_deref()).unwrap_or_default();
        let what = format!("its launch template {id} is not described in the version in use");
        builder
            .findings
            .error(Code::DescriptionMissing, &group.nodegroup_name, what);
        return None;
    };
    let name = name(builder, cluster, template);
    let logical = format!(
        "LaunchTemplate{}x{}",
        names::pascal(&template.launch_template_name),
        names::digest(&format!(
            "{}{}",
            template.launch_template_id, template.version_number
        ))
    );
    let has_image = image(builder, template).is_some();
    if !builder.has(&logical) {
        let data = data(builder, cluster, template);
        let tags = json!([{"ResourceType": "launch-template", "Tags": builder.tag_list(&template.tags)}]);
        let resource = Resource::new("AWS::EC2::LaunchTemplate")
            .with("LaunchTemplateName", name)
            .with("LaunchTemplateData", data)
            .with("TagSpecifications", tags);
        builder.add(&logical, resource);
    }
    Some(Made { logical, has_image })
}

/// Returns the name, with the version if node groups use several versions, and with the cluster if other clusters use
/// the launch template too: names are unique in a Region.
fn name(builder: &Builder<'_, '_>, cluster: &Cluster, template: &LaunchTemplate) -> String {
    let all = builder.context.descriptions;
    let uses = |other: &Cluster| {
        other.nodegroups.iter().any(|group| {
            let named = group.launch_template.as_ref();
            named.is_some_and(|named| {
                named.id.as_deref() == Some(template.launch_template_id.as_str())
                    || named.name.as_deref() == Some(template.launch_template_name.as_str())
            })
        })
    };
    let versions = all
        .launch_templates
        .iter()
        .filter(|other| other.launch_template_id == template.launch_template_id);
    let mut name = template.launch_template_name.clone();
    if versions.count() > 1 {
        name = format!("{name}-v{}", template.version_number);
    }
    if all.clusters.iter().filter(|other| uses(other)).count() > 1 {
        name = format!("{name}-{}", cluster.name);
    }
    if name.len() > names::LONGEST_POLICY_NAME {
        let end = names::digest(&name);
        name = format!("{}-{end}", name.chars().take(119).collect::<String>());
    }
    name
}

/// Returns the image: a parameter of Systems Manager is the same in each Region, an image needs a mapping.
fn image(builder: &Builder<'_, '_>, template: &LaunchTemplate) -> Option<String> {
    let image = template.launch_template_data.image_id.as_deref()?;
    if image.starts_with("resolve:ssm:") || builder.context.is_primary {
        return Some(builder.context.text(image));
    }
    builder
        .context
        .bindings
        .adopted
        .get(image)
        .map(|to| (*to).to_owned())
}

fn data(builder: &mut Builder<'_, '_>, cluster: &Cluster, template: &LaunchTemplate) -> Value {
    let id = template.launch_template_id.as_str();
    let data = &template.launch_template_data;
    let mut out = plain(data);
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            out.insert(name.to_owned(), value);
        }
    };
    if let Some(image) = &data.image_id {
        match self::image(builder, template) {
            Some(to) => set("ImageId", json!(to)),
            None => {
                let what = format!("its image {image} is not mapped; its nodes would get another");
                builder.findings.error(Code::CounterpartUnknown, id, what);
            }
        }
    }
    if let Some(key) = &data.key_name {
        set("KeyName", json!(key_pair(builder, id, key)));
    }
    if let Some(user_data) = &data.user_data {
        set("UserData", self::user_data(builder, cluster, id, user_data));
    }
    let groups = builder.all(id, &data.security_group_ids);
    if !groups.is_empty() {
        set("SecurityGroupIds", groups.into());
    }
    let volumes: Vec<Value> = data
        .block_device_mappings
        .iter()
        .map(|mapping| volume(builder, id, mapping))
        .collect();
    let interfaces: Vec<Value> = data
        .network_interfaces
        .iter()
        .map(|interface| network_interface(builder, id, interface))
        .collect();
    for (name, list) in [
        ("BlockDeviceMappings", volumes),
        ("NetworkInterfaces", interfaces),
    ] {
        if !list.is_empty() {
            set(name, list.into());
        }
    }
    let tags = data.tag_specifications.iter().map(|specification| {
        json!({"ResourceType": specification.resource_type, "Tags": builder.tag_list(&specification.tags)})
    });
    let tags: Vec<Value> = tags.collect();
    if !tags.is_empty() {
        set("TagSpecifications", tags.into());
    }
    for (name, value) in [
        (
            "capacityReservationSpecification",
            json(&data.capacity_reservation_specification),
        ),
        ("licenseSpecifications", json(&data.license_specifications)),
        ("iamInstanceProfile", json(&data.iam_instance_profile)),
    ] {
        if value.is_null() || value == json!([]) {
            continue;
        }
        if builder.context.is_primary {
            out.insert(names::pascal(name), pascal_keys(value));
        } else {
            let what = format!(
                "{name} is left out: it names resources of the primary Region, or node groups do not allow it"
            );
            builder.findings.warning(Code::CounterpartUnknown, id, what);
        }
    }
    Value::Object(out)
}

/// Returns the fields that hold no identifier.
fn plain(data: &LaunchTemplateData) -> Map<String, Value> {
    let fields = [
        ("InstanceType", json(&data.instance_type)),
        ("EbsOptimized", json(&data.ebs_optimized)),
        ("MetadataOptions", json(&data.metadata_options)),
        ("Monitoring", json(&data.monitoring)),
        ("Placement", json(&data.placement)),
        ("CreditSpecification", json(&data.credit_specification)),
        ("CpuOptions", json(&data.cpu_options)),
        ("EnclaveOptions", json(&data.enclave_options)),
        ("HibernationOptions", json(&data.hibernation_options)),
        ("MaintenanceOptions", json(&data.maintenance_options)),
        ("PrivateDnsNameOptions", json(&data.private_dns_name_options)),
        ("InstanceMarketOptions", json(&data.instance_market_options)),
        ("InstanceRequirements", json(&data.instance_requirements)),
        (
            "InstanceInitiatedShutdownBehavior",
            json(&data.instance_initiated_shutdown_behavior),
        ),
        ("DisableApiTermination", json(&data.disable_api_termination)),
        ("DisableApiStop", json(&data.disable_api_stop)),
    ];
    let present = fields.into_iter().filter(|(_, value)| !value.is_null());
    present
        .map(|(name, value)| (name.to_owned(), pascal_keys(value)))
        .collect()
}

fn volume(builder: &mut Builder<'_, '_>, of: &str, mapping: &BlockDeviceMapping) -> Value {
    let mut out = pascal_keys(json(mapping));
    let Some(ebs) = &mapping.ebs else { return out };
    if let Some(key) = &ebs.kms_key_id {
        match builder.key(of, key) {
            Some(key) => out["Ebs"]["KmsKeyId"] = key,
            None => remove(&mut out["Ebs"], "KmsKeyId"),
        }
    }
    if let Some(snapshot) = &ebs.snapshot_id {
        let own = Some(snapshot.as_str()).filter(|_| builder.context.is_primary);
        match own.or(builder.context.bindings.adopted.get(snapshot.as_str()).copied()) {
            Some(to) => out["Ebs"]["SnapshotId"] = json!(to),
            None => {
                let what =
                    format!("the snapshot {snapshot} of a volume is not mapped; the volume is made empty");
                builder.findings.warning(Code::CounterpartUnknown, of, what);
                remove(&mut out["Ebs"], "SnapshotId");
            }
        }
    }
    out
}

fn remove(value: &mut Value, name: &str) {
    if let Some(map) = value.as_object_mut() {
        map.remove(name);
    }
}

fn network_interface(builder: &mut Builder<'_, '_>, of: &str, interface: &NetworkInterface) -> Value {
    let mut out = pascal_keys(json(interface));
    remove(&mut out, "Groups");
    let groups = builder.all(of, &interface.groups);
    if !groups.is_empty() {
        out["Groups"] = groups.into();
    }
    out
}

/// Returns user data for the recovery cluster. What did not change keeps its bytes.
fn user_data(builder: &mut Builder<'_, '_>, cluster: &Cluster, of: &str, data: &Hidden<String>) -> Value {
    if builder.context.is_primary {
        return json!(data.0);
    }
    let decoded = STANDARD.decode(data.0.trim()).ok();
    let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        let what = "its user data is not text in base64, or compressed; it is kept as it is";
        builder.findings.warning(Code::UserDataUnreadable, of, what);
        return json!(data.0);
    };
    let mut new = builder.context.text(&text);
    // The certificate of the API server is longer than any identifier and has no form of its own.
    let certificate = cluster
        .certificate_authority
        .as_ref()
        .map(|authority| authority.data.as_str());
    let place = symbol(&builder.context.stack.symbol(), "CertificateAuthority");
    let parts: Vec<String> = match certificate.filter(|data| !data.is_empty()) {
        Some(data) => new.split(data).map(str::to_owned).collect(),
        None => vec![new.clone()],
    };
    new = parts.join(&place);
    leftovers(builder, of, &new);
    if new == text {
        return json!(data.0);
    }
    let mut pieces: Vec<Value> = Vec::new();
    for (position, part) in parts.into_iter().enumerate() {
        if position > 0 {
            pieces.push(attribute(super::CLUSTER, "CertificateAuthorityData"));
        }
        match builder.expressed(Value::String(part), true) {
            Value::Object(mut join) if join.contains_key("Fn::Join") => {
                let list = join
                    .get_mut("Fn::Join")
                    .and_then(|join| join.get_mut(1))
                    .map(Value::take);
                pieces.extend(
                    list.as_ref()
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                        .cloned(),
                );
            }
            Value::String(text) if text.is_empty() => {}
            other => pieces.push(other),
        }
    }
    match pieces.as_slice() {
        [Value::String(text)] => json!(STANDARD.encode(text)),
        _ => json!({ "Fn::Base64": { "Fn::Join": ["", pieces] } }),
    }
}

/// Finds what still names the primary in user data, without showing it: it may be part of a secret.
fn leftovers(builder: &mut Builder<'_, '_>, of: &str, text: &str) {
    let found = builder
        .context
        .identities
        .leftovers(("", ""), &json!({ "data": text }));
    if !found.is_empty() {
        let what = format!("its user data names the primary in {} places", found.len());
        builder.findings.warning(Code::PrimaryNamed, of, what);
    }
}
