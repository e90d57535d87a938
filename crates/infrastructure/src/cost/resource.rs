//! What is charged for each resource of a template.

use lifeboat_model::Region;
use serde_json::Value;

use super::prices::{Charge, Prices};
use super::{Charged, NotPriced, Templates, money};
use crate::stack::Stack;
use crate::template::{Resource, Template};

mod nodes;

/// What is charged for the resources of a stack.
pub(super) struct Bill<'a> {
    templates: &'a Templates,
    stack: &'a Stack,
    region: &'a Region,
    prices: &'a Prices,
    pub(super) charges: Vec<Charged>,
    pub(super) not_priced: Vec<NotPriced>,
}

impl<'a> Bill<'a> {
    pub(super) fn new(
        templates: &'a Templates,
        stack: &'a Stack,
        region: &'a Region,
        prices: &'a Prices,
    ) -> Self {
        Self {
            templates,
            stack,
            region,
            prices,
            charges: Vec::new(),
            not_priced: Vec::new(),
        }
    }

    pub(super) fn template(&mut self, template: &Template) {
        for (logical, resource) in &template.resources {
            self.resource(template, logical, resource);
        }
    }

    /// Adds what is charged for one resource. A type that is not known here is not priced.
    fn resource(&mut self, template: &Template, logical: &str, resource: &Resource) {
        match resource.r#type {
            "AWS::EC2::VPC"
            | "AWS::EC2::VPCCidrBlock"
            | "AWS::EC2::Subnet"
            | "AWS::EC2::RouteTable"
            | "AWS::EC2::Route"
            | "AWS::EC2::SubnetRouteTableAssociation"
            | "AWS::EC2::InternetGateway"
            | "AWS::EC2::VPCGatewayAttachment"
            | "AWS::EC2::EgressOnlyInternetGateway"
            | "AWS::EC2::NetworkAcl"
            | "AWS::EC2::NetworkAclEntry"
            | "AWS::EC2::SubnetNetworkAclAssociation"
            | "AWS::EC2::SecurityGroup"
            | "AWS::EC2::SecurityGroupIngress"
            | "AWS::EC2::SecurityGroupEgress"
            | "AWS::EC2::LaunchTemplate"
            | "AWS::IAM::Role"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::IAM::InstanceProfile"
            | "AWS::IAM::OIDCProvider"
            | "AWS::KMS::Alias"
            | "AWS::EFS::AccessPoint"
            | "AWS::EFS::MountTarget"
            | "AWS::EKS::AccessEntry"
            | "AWS::EKS::PodIdentityAssociation"
            | "AWS::EKS::IdentityProviderConfig" => {}
            "AWS::EC2::NatGateway" => self.nat_gateway(logical, resource),
            "AWS::EC2::EIP" => self.charge(logical, Charge::PublicIpv4AddressHour, None, 1, false),
            "AWS::EC2::VPCEndpoint" => self.endpoint(logical, resource),
            "AWS::KMS::Key" | "AWS::KMS::ReplicaKey" => {
                self.charge(logical, Charge::KmsKeyMonth, None, 1, false);
                if flag(resource, "/EnableKeyRotation") {
                    self.leave(logical, "rotations of keys");
                }
            }
            "AWS::ECR::Repository" => self.leave(logical, "images"),
            "AWS::EFS::FileSystem" => self.file_system(logical, resource),
            "AWS::EKS::Cluster" => self.cluster(logical, resource),
            "AWS::EKS::Nodegroup" => self.nodegroup(template, logical, resource),
            "AWS::EKS::FargateProfile" => self.fargate(logical),
            // Add-ons of the AWS Marketplace have the name of their seller before the first `_`.
            "AWS::EKS::Addon" => {
                if text(resource, "/AddonName").is_some_and(|name| name.contains('_')) {
                    self.leave(logical, "add-ons of the AWS Marketplace");
                }
            }
            other => self.leave(logical, &format!("resources of the type {other}")),
        }
    }

    /// Adds a charge. Without a price it is not priced.
    fn charge(&mut self, logical: &str, charge: Charge, item: Option<&str>, quantity: u64, is_most: bool) {
        if quantity == 0 {
            return;
        }
        let Some(usd) = self.prices.find(charge, item, self.region) else {
            let what = match item {
                Some(item) => format!("{charge} {item} in {}", self.region),
                None => format!("{charge} in {}", self.region),
            };
            return self.leave(logical, &what);
        };
        let hours = if charge.is_monthly() { 1 } else { money::HOURS };
        self.charges.push(Charged {
            resource: logical.to_owned(),
            charge,
            item: item.map(str::to_owned),
            quantity,
            usd,
            usd_per_month: usd.times(quantity).times(hours),
            is_most,
        });
    }

    /// Adds what is not priced.
    fn leave(&mut self, logical: &str, what: &str) {
        self.not_priced.push(NotPriced {
            what: what.to_owned(),
            stack: Some(self.stack.symbol()),
            resource: logical.to_owned(),
        });
    }

    fn nat_gateway(&mut self, logical: &str, resource: &Resource) {
        if text(resource, "/AvailabilityMode") == Some("regional") {
            // It has an address and is charged in each zone in which it finds network interfaces.
            self.leave(logical, "regional NAT gateways, which are charged by the zone");
        } else {
            self.charge(logical, Charge::NatGatewayHour, None, 1, false);
        }
        self.leave(logical, "data that NAT gateways and interface endpoints process");
    }

    fn endpoint(&mut self, logical: &str, resource: &Resource) {
        match text(resource, "/VpcEndpointType") {
            Some("Gateway") => {}
            Some("Interface") => {
                let zones = list(resource, "/SubnetIds").len();
                self.charge(logical, Charge::InterfaceEndpointHour, None, zones as u64, false);
                self.leave(logical, "data that NAT gateways and interface endpoints process");
            }
            _ => self.leave(logical, "endpoints of other types"),
        }
    }

    fn file_system(&mut self, logical: &str, resource: &Resource) {
        // The size is not described: a file system is built empty, or is a replica that is not part of the stack.
        let price = self.prices.find(Charge::EfsGibMonth, None, self.region);
        let is_regional = text(resource, "/AvailabilityZoneName").is_none();
        self.leave(
            logical,
            &match price.filter(|_| is_regional) {
                Some(price) => format!("files ({price} USD per GiB and month) and throughput of EFS"),
                None => "files and throughput of EFS".to_owned(),
            },
        );
        if text(resource, "/BackupPolicy/Status") == Some("ENABLED") {
            self.leave(logical, "backups of AWS Backup");
        }
    }

    fn cluster(&mut self, logical: &str, resource: &Resource) {
        let version = text(resource, "/Version").unwrap_or_default();
        // A cluster whose policy is STANDARD is upgraded at the end of standard support, and never costs more
        // (https://docs.aws.amazon.com/eks/latest/userguide/view-upgrade-policy.html). EXTENDED is the default.
        let may_extend = text(resource, "/UpgradePolicy/SupportType") != Some("STANDARD");
        let extended = Charge::EksExtendedSupportHour;
        let price = self.prices.find(extended, Some(version), self.region);
        if may_extend && price.is_some() {
            self.charge(logical, extended, Some(version), 1, false);
        } else {
            self.charge(logical, Charge::EksClusterHour, None, 1, false);
            if may_extend {
                let what =
                    format!("extended support of Kubernetes {version}, if its standard support has ended");
                self.leave(logical, &what);
            }
        }
        let tier = text(resource, "/ControlPlaneScalingConfig/Tier");
        if let Some(tier) = tier.filter(|tier| *tier != "standard") {
            self.leave(logical, &format!("control planes of the tier {tier}"));
        }
        if flag(resource, "/ComputeConfig/Enabled") {
            self.leave(logical, "instances, volumes and load balancers of EKS Auto Mode");
        }
        if !list(resource, "/Logging/ClusterLogging/EnabledTypes").is_empty() {
            self.leave(logical, "logs of control planes");
        }
    }

    fn fargate(&mut self, logical: &str) {
        let price = |charge| self.prices.find(charge, None, self.region);
        let prices = price(Charge::FargateVcpuHour).zip(price(Charge::FargateGbHour));
        let what = match prices {
            Some((vcpu, memory)) => {
                format!("Pods on Fargate ({vcpu} USD per vCPU and hour, {memory} USD per GB and hour)")
            }
            None => "Pods on Fargate".to_owned(),
        };
        self.leave(logical, &what);
    }
}

/// Returns the property of a resource at a path.
fn property<'a>(resource: &'a Resource, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('/').skip(1);
    let first = resource.properties.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// Returns a text at a path.
fn text<'a>(resource: &'a Resource, path: &str) -> Option<&'a str> {
    property(resource, path)?.as_str()
}

/// Returns whether a property is `true`.
fn flag(resource: &Resource, path: &str) -> bool {
    property(resource, path).and_then(Value::as_bool) == Some(true)
}

/// Returns a number at a path.
fn number(resource: &Resource, path: &str) -> Option<u64> {
    property(resource, path)?.as_u64()
}

/// Returns a list at a path; empty if there is none.
fn list<'a>(resource: &'a Resource, path: &str) -> &'a [Value] {
    property(resource, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
