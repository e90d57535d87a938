//! Words causes: each with the command that changes it, if there is one.

use std::net::IpAddr;

use super::cause::{NetworkCause, NetworkTarget};
use super::observation::DeniedBy;
use crate::{EnvironmentId, Problem};

/// The port of HTTPS, on which S3 and API servers listen.
const HTTPS: u16 = 443;

/// The first port of the range from which Lambda connects (Amazon VPC User Guide, "Ephemeral ports").
const EPHEMERAL: u16 = 1024;

/// A cause in words.
struct Words {
    message: String,
    /// What to do besides the command, or instead of one.
    advice: String,
    command: Option<String>,
}

impl Words {
    fn run(message: String, command: String) -> Self {
        Self {
            message,
            advice: String::new(),
            command: Some(command),
        }
    }

    fn look(message: String, advice: impl Into<String>) -> Self {
        Self {
            message,
            advice: advice.into(),
            command: None,
        }
    }

    fn and(mut self, advice: &str) -> Self {
        advice.clone_into(&mut self.advice);
        self
    }
}

impl NetworkTarget {
    /// Returns what the server is called in a sentence.
    fn name(self) -> &'static str {
        match self {
            Self::S3 => "Amazon S3",
            Self::ApiServer => "the API server",
        }
    }
}

impl DeniedBy {
    /// Returns what the policy is called in a sentence.
    fn name(self) -> &'static str {
        match self {
            Self::EndpointPolicy => "the policy of an endpoint",
            Self::BucketPolicy => "the policy of the bucket",
            Self::RolePolicy => "the policy of its role",
            Self::PermissionsBoundary => "the permissions boundary of its role",
            Self::ServiceControlPolicy => "a service control policy of the organization",
            Self::ResourceControlPolicy => "a resource control policy of the organization",
            Self::Unknown => "a policy",
        }
    }
}

impl NetworkCause {
    /// Returns the problem, whose guidance contains the command.
    #[must_use]
    pub fn problem(&self, environment: &EnvironmentId) -> Problem {
        let Words {
            message,
            advice,
            command,
        } = self.words(environment);
        let guidance = match command {
            Some(command) if advice.is_empty() => format!("run `{command}`"),
            Some(command) => format!("run `{command}`; {advice}"),
            None => advice,
        };
        Problem::new(self.code(), message, guidance)
    }

    /// Returns the problem with guidance that refers to the command, and the command.
    #[must_use]
    pub fn problem_and_command(&self, environment: &EnvironmentId) -> (Problem, Option<String>) {
        let Words {
            message,
            advice,
            command,
        } = self.words(environment);
        let guidance = match &command {
            Some(_) if advice.is_empty() => "run the command".to_owned(),
            Some(_) => format!("run the command; {advice}"),
            None => advice,
        };
        (Problem::new(self.code(), message, guidance), command)
    }

    fn words(&self, environment: &EnvironmentId) -> Words {
        let region = environment.region.as_str();
        match self {
            Self::NoResolver { .. }
            | Self::NoHostNames { .. }
            | Self::PrivateNamesOff { .. }
            | Self::NameNotResolved { .. }
            | Self::LeadsElsewhere { .. } => self.names(region),
            Self::NoRoute { .. } => self.route(region),
            Self::GroupHoldsBack { .. }
            | Self::AclHoldsBack { .. }
            | Self::EndpointHoldsBack { .. }
            | Self::ClusterHoldsBack { .. } => self.rules(region),
            Self::EndpointPolicy { .. } | Self::EndpointConditions { .. } | Self::PolicyDenies { .. } => {
                self.policies(environment)
            }
            Self::OneZone { .. } | Self::FewAddresses { .. } | Self::Ipv6Only { .. } => self.subnets(),
            Self::Proxy { .. }
            | Self::Intercepted { .. }
            | Self::Silent { .. }
            | Self::OtherAnswer { .. } => self.answers(),
        }
    }

    fn names(&self, region: &str) -> Words {
        let attribute = |vpc: &str, name: &str| {
            format!("aws ec2 modify-vpc-attribute --region {region} --vpc-id {vpc} --enable-dns-{name}")
        };
        match self {
            Self::NoHostNames { vpc, target } => Words::run(
                format!(
                    "the VPC {vpc} has no private host names: the name of {} does not lead to its address in the VPC",
                    target.name()
                ),
                attribute(vpc, "hostnames"),
            ),
            Self::PrivateNamesOff { endpoint } => Words::run(
                format!(
                    "the name s3.{region}.amazonaws.com does not lead to the endpoint {endpoint}: its private DNS names are off"
                ),
                format!(
                    "aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {endpoint} --private-dns-enabled"
                ),
            ),
            Self::NameNotResolved { host, silent, .. } => Words::look(
                match silent {
                    true => format!("the resolver of the VPC does not answer for the name {host}"),
                    false => format!("the resolver of the VPC does not know the name {host}"),
                },
                "look at the DHCP options of the VPC, and use AmazonProvidedDNS, or let the resolver that they name forward the name to the resolver of the VPC; look at the rules of a DNS firewall",
            ),
            Self::LeadsElsewhere {
                target,
                host,
                addresses,
            } => Words::look(
                format!(
                    "in the VPC, the name {host} leads to {}, which is not {}",
                    listed(addresses),
                    target.name()
                ),
                format!(
                    "remove the record of {host} from the private hosted zones of the VPC (`aws route53 list-hosted-zones-by-vpc --vpc-id VPC --vpc-region {region}`), or from the resolver that its DHCP options name"
                ),
            ),
            Self::NoResolver { vpc } => Words::run(
                format!("the VPC {vpc} has no DNS resolver: no host name can be resolved in it"),
                attribute(vpc, "support"),
            ),
            _ => self.answers(),
        }
    }

    fn route(&self, region: &str) -> Words {
        let Self::NoRoute {
            vpc,
            subnets,
            route_tables,
            endpoint,
            ipv6_only,
        } = self
        else {
            return self.answers();
        };
        let tables = route_tables.join(" ");
        let command = match endpoint {
            Some(endpoint) => format!(
                "aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {endpoint} --add-route-table-ids {tables}"
            ),
            None => format!(
                "aws ec2 create-vpc-endpoint --region {region} --vpc-id {vpc} --vpc-endpoint-type Gateway --service-name com.amazonaws.{region}.s3 --route-table-ids {tables}"
            ),
        };
        let detail = match ipv6_only {
            true => " by IPv4; a route for IPv6 leads out, but the name of Amazon S3 has IPv4 addresses only",
            false => "",
        };
        let message = format!("no route leads from {} to Amazon S3{detail}", subnets.join(", "));
        Words::run(message, command).and("a gateway endpoint is free of charge")
    }

    fn rules(&self, region: &str) -> Words {
        match self {
            Self::GroupHoldsBack {
                group,
                target: NetworkTarget::ApiServer,
            } => Words::run(
                format!("no rule of the security group {group} allows HTTPS to the API server, a member of it"),
                format!(
                    "aws ec2 authorize-security-group-egress --region {region} --group-id {group} --ip-permissions IpProtocol=tcp,FromPort={HTTPS},ToPort={HTTPS},UserIdGroupPairs=[{{GroupId={group}}}]"
                ),
            ),
            Self::GroupHoldsBack { group, .. } => Words::run(
                format!("no rule of the security group {group} allows HTTPS to Amazon S3"),
                format!(
                    "aws ec2 authorize-security-group-egress --region {region} --group-id {group} --protocol tcp --port {HTTPS} --cidr 0.0.0.0/0"
                ),
            )
            .and("or allow the prefix list of Amazon S3 only"),
            Self::AclHoldsBack {
                acl,
                egress,
                rule,
                target,
            } => {
                let (what, option, ports) = match egress {
                    true => ("HTTPS out of", "--egress", format!("From={HTTPS},To={HTTPS}")),
                    false => (
                        "the answers of HTTPS into",
                        "--ingress",
                        format!("From={EPHEMERAL},To=65535"),
                    ),
                };
                let number = rule.map_or("NUMBER".to_owned(), |rule| rule.to_string());
                let command = format!(
                    "aws ec2 create-network-acl-entry --region {region} --network-acl-id {acl} {option} --rule-number {number} --protocol tcp --port-range {ports} --cidr-block 0.0.0.0/0 --rule-action allow"
                );
                let message = format!(
                    "the network ACL {acl} does not let {what} the subnets, which {} needs",
                    match target {
                        NetworkTarget::S3 => "a request to Amazon S3",
                        NetworkTarget::ApiServer => "a request to the API server",
                    }
                );
                Words::run(message, command).and("the number of the rule must be before that of the rule that denies it")
            }
            Self::EndpointHoldsBack {
                endpoint,
                group,
                from,
            } => Words::run(
                format!(
                    "the security group {group} of the endpoint {endpoint} does not admit HTTPS from {from}, the group of the function"
                ),
                format!(
                    "aws ec2 authorize-security-group-ingress --region {region} --group-id {group} --protocol tcp --port {HTTPS} --source-group {from}"
                ),
            ),
            Self::ClusterHoldsBack { group } => Words::run(
                format!("the cluster security group {group} does not admit HTTPS from its members at the API server"),
                format!(
                    "aws ec2 authorize-security-group-ingress --region {region} --group-id {group} --protocol tcp --port {HTTPS} --source-group {group}"
                ),
            ),
            _ => self.answers(),
        }
    }

    fn policies(&self, environment: &EnvironmentId) -> Words {
        let (region, bucket) = (environment.region.as_str(), environment.scratch_bucket());
        let partition = environment.region.partition();
        let of = |endpoint: &str| {
            format!(
                "aws ec2 describe-vpc-endpoints --region {region} --vpc-endpoint-ids {endpoint} --query 'VpcEndpoints[0].PolicyDocument' --output text"
            )
        };
        match self {
            Self::EndpointPolicy {
                endpoint: Some(endpoint),
                explicit: false,
            } => {
                // Adds to the policy, because a policy document replaces the whole one.
                let statement = format!(
                    r#"{{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:{partition}:s3:::{bucket}","arn:{partition}:s3:::{bucket}/*"]}}"#
                );
                Words::run(
                    format!("the policy of the endpoint {endpoint} does not allow the function to use the bucket {bucket}"),
                    format!(
                        "aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {endpoint} --policy-document \"$({} | jq -c '.Statement = ([.Statement] | flatten) + [{statement}]')\"",
                        of(endpoint)
                    ),
                )
                .and("it adds a statement that allows s3:* on the bucket")
            }
            Self::EndpointPolicy { endpoint, explicit } => {
                let named = endpoint.as_ref().map_or("an endpoint of the VPC".to_owned(), |id| format!("the endpoint {id}"));
                let (verb, change) = match explicit {
                    true => ("denies", "change the statement that denies it"),
                    false => ("does not allow", "add a statement that allows s3:* on the bucket and its objects"),
                };
                let shown = of(endpoint.as_deref().unwrap_or("ENDPOINT"));
                Words::look(
                    format!("the policy of {named} {verb} the function the use of the bucket {bucket}"),
                    format!("{change}; `{shown}` shows the policy, and `aws ec2 modify-vpc-endpoint --policy-document` replaces it"),
                )
            }
            Self::EndpointConditions { endpoint, keys } => Words::look(
                format!(
                    "whether the policy of the endpoint {endpoint} allows the bucket {bucket} depends on {}, which is not known here",
                    keys.join(", ")
                ),
                format!("check that the policy allows s3:* on the bucket to the role of the function; `{}` shows it", of(endpoint)),
            ),
            Self::PolicyDenies { by, explicit } => Words::look(
                match explicit {
                    true => format!("{} denies the function the bucket {bucket}", by.name()),
                    false => format!("{} does not allow the function to use the bucket {bucket}", by.name()),
                },
                match by {
                    DeniedBy::RolePolicy => {
                        "deploy the private delegate again with `lifeboat deploy private-delegate`, whose stack has the policy".to_owned()
                    }
                    DeniedBy::PermissionsBoundary => {
                        "allow s3:GetObject, s3:PutObject and s3:ListBucket on the bucket in the permissions boundary, the parameter `PermissionsBoundary` of the stack of the private delegate".to_owned()
                    }
                    DeniedBy::ServiceControlPolicy | DeniedBy::ResourceControlPolicy => {
                        "ask an administrator of the organization to allow it".to_owned()
                    }
                    DeniedBy::BucketPolicy => format!(
                        "compare `aws s3api get-bucket-policy --region {region} --bucket {bucket}` with the stack of the bucket, and deploy that stack again with `lifeboat deploy`"
                    ),
                    DeniedBy::EndpointPolicy | DeniedBy::Unknown => {
                        "look at the policy of the endpoint of Amazon S3 in the VPC, at the policy of the bucket and at those of the role, in this order".to_owned()
                    }
                },
            ),
            _ => self.answers(),
        }
    }

    fn subnets(&self) -> Words {
        let add = "`aws eks update-cluster-config --resources-vpc-config subnetIds=…`";
        match self {
            Self::OneZone { zone } => Words::look(
                format!(
                    "all subnets of the function are in {zone}: it does not run while that zone is impaired"
                ),
                format!("add a subnet of another zone to the cluster with {add}"),
            ),
            Self::FewAddresses { subnets } => {
                let free: Vec<String> = subnets
                    .iter()
                    .map(|(id, free)| format!("{id} ({free})"))
                    .collect();
                Words::look(
                    format!(
                        "subnets have too few free addresses for the network interfaces of the function: {}",
                        free.join(", ")
                    ),
                    format!("free addresses, or give the cluster larger subnets with {add}"),
                )
            }
            Self::Ipv6Only { subnets } => Words::look(
                format!(
                    "a function cannot be attached to {}: they have IPv6 addresses only",
                    subnets.join(", ")
                ),
                format!("give the cluster subnets with IPv4 addresses with {add}"),
            ),
            _ => self.answers(),
        }
    }

    fn answers(&self) -> Words {
        match self {
            Self::Proxy { variable } => Words::look(
                format!(
                    "the function reaches Amazon S3 by the proxy of the environment variable {variable}, which fails"
                ),
                format!(
                    "remove {variable} from the environment variables of the function, or add the host of Amazon S3 to NO_PROXY"
                ),
            ),
            Self::Intercepted { target, host } => Words::look(
                format!(
                    "something between the function and {} answers for {host}, or ends the connection: a proxy or a firewall that inspects TLS",
                    target.name()
                ),
                format!(
                    "exempt {host} from the inspection, or lead the requests past it: for Amazon S3 with a gateway endpoint"
                ),
            ),
            Self::Silent {
                target,
                host,
                addresses,
                refused,
                seen,
            } => {
                let what = if *refused {
                    "refuses the connection"
                } else {
                    "does not answer"
                };
                let tried = match addresses.is_empty() {
                    true => String::new(),
                    false => format!(" at {}", listed(addresses)),
                };
                let (explained, advice) = match seen {
                    true => (
                        "; routes, security groups and network ACLs of the VPC allow it",
                        "look at what is outside of the VPC or was not read: what is behind a transit gateway, a peering connection or a NAT gateway, a firewall and its rules",
                    ),
                    false => (
                        "",
                        "look at route tables, endpoints, security groups and network ACLs of the VPC: the role of the public delegate may not read them",
                    ),
                };
                Words::look(
                    format!(
                        "the function does not reach {}: {host} {what} on port {HTTPS}{tried}{explained}",
                        target.name()
                    ),
                    advice,
                )
            }
            Self::OtherAnswer { target, host, status } => {
                let status = status.map_or("no HTTP".to_owned(), |status| format!("HTTP status {status}"));
                Words::look(
                    format!("{host} answers otherwise than {} does: {status}", target.name()),
                    "look for a proxy or a firewall on the way; if there is none, try again later",
                )
            }
            _ => Words::look(
                self.code().explanation().title.to_owned(),
                self.code().explanation().remedy,
            ),
        }
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    texts.join(", ")
}
