//! What is charged for the nodes of a node group: instances, root volumes and public addresses.

use serde_json::Value;

use super::{Bill, flag, list, number, property, text};
use crate::cost::prices::Charge;
use crate::stack::Stack;
use crate::template::{Resource, Template};

/// The instance type of a node group that names none, in its launch template either
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html>, `instanceTypes`).
const DEFAULT_TYPE: &str = "t3.medium";

/// The size in GiB of the root volume of a node group that names none (the same page, `diskSize`).
const DEFAULT_DISK: u64 = 20;

/// The type of the root volumes of node groups without a launch template. EKS takes it or `gp3`, which costs less.
const DISK_TYPE: &str = "gp2";

/// The I/O operations per second and the throughput in MiB/s that a `gp3` volume has without a further charge
/// (<https://aws.amazon.com/ebs/pricing/>).
const FREE_IOPS: u64 = 3_000;
const FREE_THROUGHPUT: u64 = 125;

impl Bill<'_> {
    pub(super) fn nodegroup(&mut self, template: &Template, logical: &str, group: &Resource) {
        let Some(nodes) = number(group, "/ScalingConfig/DesiredSize") else {
            return self.leave(logical, "node groups whose size is not known");
        };
        if flag(group, "/WarmPoolConfig/Enabled") {
            self.leave(logical, "instances of warm pools");
        }
        if nodes == 0 {
            return;
        }
        let launch = property(group, "/LaunchTemplate/Id/Ref").and_then(Value::as_str);
        let launch = launch.and_then(|name| template.resources.get(name));
        self.instances(logical, group, launch, nodes);
        match launch {
            Some(launch) => self.volumes(logical, launch, nodes),
            None => {
                let size = number(group, "/DiskSize").unwrap_or(DEFAULT_DISK);
                let gib = nodes.saturating_mul(size);
                self.charge(logical, Charge::EbsGibMonth, Some(DISK_TYPE), gib, true);
            }
        }
        self.addresses(template, logical, group, launch, nodes);
    }

    fn instances(&mut self, logical: &str, group: &Resource, launch: Option<&Resource>, nodes: u64) {
        let of_template = |path| launch.and_then(|launch| text(launch, path));
        let has_requirements = launch
            .is_some_and(|launch| property(launch, "/LaunchTemplateData/InstanceRequirements").is_some());
        let first = list(group, "/InstanceTypes").first().and_then(Value::as_str);
        let instance = first.or_else(|| of_template("/LaunchTemplateData/InstanceType"));
        if instance.is_none() && has_requirements {
            return self.leave(logical, "instances that EC2 chooses by their attributes");
        }
        let instance = instance.unwrap_or(DEFAULT_TYPE);
        let tenancy = of_template("/LaunchTemplateData/Placement/Tenancy");
        if tenancy.is_some_and(|tenancy| tenancy != "default") || self.is_dedicated() {
            return self.leave(logical, &format!("{instance} instances on dedicated hardware"));
        }
        let image = text(group, "/AmiType");
        if image.is_some_and(|image| image.starts_with("WINDOWS_")) {
            return self.leave(logical, &format!("{instance} instances with Windows"));
        }
        if of_template("/LaunchTemplateData/ImageId").is_some() {
            self.leave(logical, "licenses of images");
        }
        let capacity = text(group, "/CapacityType");
        if capacity == Some("CAPACITY_BLOCK") {
            return self.leave(logical, &format!("{instance} instances of capacity blocks"));
        }
        if launch.is_some_and(|launch| flag(launch, "/LaunchTemplateData/Monitoring/Enabled")) {
            self.leave(logical, "detailed monitoring of instances");
        }
        // Spot capacity costs the price of on-demand capacity at most
        // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances.html).
        let is_spot = capacity == Some("SPOT");
        self.charge(logical, Charge::Ec2InstanceHour, Some(instance), nodes, is_spot);
    }

    /// Adds the volumes of a launch template.
    fn volumes(&mut self, logical: &str, launch: &Resource, nodes: u64) {
        let mappings = list(launch, "/LaunchTemplateData/BlockDeviceMappings");
        let volumes: Vec<&Value> = mappings.iter().filter_map(|mapping| mapping.get("Ebs")).collect();
        if volumes.is_empty() {
            return self.leave(logical, "root volumes of a size that the image decides");
        }
        for volume in volumes {
            let size = volume.get("VolumeSize").and_then(Value::as_u64);
            let r#type = volume.get("VolumeType").and_then(Value::as_str);
            let (Some(size), Some(r#type)) = (size, r#type) else {
                self.leave(logical, "volumes of a size or type that the image decides");
                continue;
            };
            let gib = nodes.saturating_mul(size);
            self.charge(logical, Charge::EbsGibMonth, Some(r#type), gib, false);
            let value = |name: &str| volume.get(name).and_then(Value::as_u64).unwrap_or(0);
            let is_fast = match r#type {
                "io1" | "io2" => true,
                _ => value("Iops") > FREE_IOPS || value("Throughput") > FREE_THROUGHPUT,
            };
            if is_fast {
                self.leave(logical, "provisioned IOPS and throughput of volumes");
            }
        }
    }

    /// Adds the public IPv4 addresses that nodes get from their subnets or their launch template.
    fn addresses(
        &mut self,
        template: &Template,
        logical: &str,
        group: &Resource,
        launch: Option<&Resource>,
        nodes: u64,
    ) {
        let interfaces = launch.map_or(&[][..], |launch| {
            list(launch, "/LaunchTemplateData/NetworkInterfaces")
        });
        let chosen = interfaces
            .iter()
            .find_map(|interface| interface.get("AssociatePublicIpAddress")?.as_bool());
        let charge = Charge::PublicIpv4AddressHour;
        match chosen {
            Some(true) => return self.charge(logical, charge, None, nodes, false),
            Some(false) => return,
            None => {}
        }
        let subnets = list(group, "/Subnets");
        let mut public = 0;
        for subnet in subnets {
            match self.is_public(template, subnet) {
                Some(true) => public += 1,
                Some(false) => {}
                None => self.leave(logical, "public IPv4 addresses of nodes in adopted subnets"),
            }
        }
        if public > 0 {
            // In which subnets the nodes are is up to Auto Scaling.
            self.charge(logical, charge, None, nodes, public < subnets.len());
        }
    }

    /// Whether instances in a subnet get public addresses; none if the subnet is not built.
    fn is_public(&self, template: &Template, subnet: &Value) -> Option<bool> {
        let parameter = template.parameters.get(subnet.get("Ref")?.as_str()?)?;
        let network = self.templates.get(&parameter.stack)?;
        let subnet = network.resources.get(&parameter.output)?;
        Some(flag(subnet, "/MapPublicIpOnLaunch"))
    }

    /// Whether a VPC has instances on hardware of their own.
    fn is_dedicated(&self) -> bool {
        let network = self.templates.get(&Stack::Network);
        let mut resources = network.into_iter().flat_map(|network| network.resources.values());
        resources.any(|one| {
            one.r#type == "AWS::EC2::VPC"
                && text(one, "/InstanceTenancy").is_some_and(|tenancy| tenancy != "default")
        })
    }
}
