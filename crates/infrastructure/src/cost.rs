//! What the recovery costs per hour while it stands by and while it runs, from a table of prices.
//!
//! The templates of all stacks are walked. What is charged by the hour or by the month is a [`Charged`]; what is charged
//! by use, or has no price in the table, is a [`NotPriced`] with its name, and never nothing. Amounts are integers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::description::Descriptions;
use crate::facts::RecoveryFacts;
use crate::stack::{Mode, Stack, generate, stacks};
use crate::template::Template;

mod money;
mod prices;
mod resource;

pub use money::{InvalidUsd, Usd};
pub use prices::{Charge, Extended, InvalidPrices, Price, PriceTable, Prices, Source};

/// What the recovery costs in its two modes, in US dollars without taxes and discounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cost {
    /// With clusters and nodes: each node group has its desired size.
    pub active: ModeCost,
    /// While nobody uses it.
    pub standby: ModeCost,
    /// Where the prices come from.
    pub sources: Vec<Source>,
}

/// What the stacks cost in one mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModeCost {
    /// For an hour: the month divided by 730, rounded to a millionth.
    pub usd_per_hour: Usd,
    /// For a month of 730 hours.
    pub usd_per_month: Usd,
    /// Whether less may be charged, because spot capacity or another choice of AWS is counted at its highest price.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_most: bool,
    /// The stacks that cost something, in the order in which they are built.
    pub stacks: Vec<StackCost>,
    /// What is not counted, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_priced: Vec<NotPriced>,
}

/// What a stack costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StackCost {
    /// The name of the stack within the application, such as `network`.
    pub stack: String,
    /// For an hour: the month divided by 730, rounded to a millionth.
    pub usd_per_hour: Usd,
    /// For a month of 730 hours.
    pub usd_per_month: Usd,
    /// What is charged.
    pub charges: Vec<Charged>,
}

/// What is charged for a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Charged {
    /// The logical id of the resource.
    pub resource: String,
    /// What is charged.
    pub charge: Charge,
    /// The instance type, the volume type, or the version of Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// How many: resources, zones, addresses, or GiB.
    pub quantity: u64,
    /// The price of one, for an hour or a month as the charge says.
    pub usd: Usd,
    /// For a month of 730 hours.
    pub usd_per_month: Usd,
    /// Whether less may be charged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_most: bool,
}

/// Something that is not counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotPriced {
    /// What is not counted, such as `images`.
    pub what: String,
    /// The name of the stack within the application; none if it could not be described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The logical id of the resource; the id in the primary of what could not be described.
    pub resource: String,
}

/// Returns what the recovery costs in both modes.
///
/// Nodes are counted even where the facts hold them back (`hold_nodes`): they come with the next deployment.
#[must_use]
pub fn cost(descriptions: &Descriptions, facts: &RecoveryFacts, prices: &Prices) -> Cost {
    let facts = RecoveryFacts {
        hold_nodes: false,
        ..facts.clone()
    };
    Cost {
        active: of_mode(descriptions, &facts, prices, Mode::Active),
        standby: of_mode(descriptions, &facts, prices, Mode::Standby),
        sources: prices.sources().iter().cloned().collect(),
    }
}

/// The templates of the stacks that hold something.
type Templates = BTreeMap<Stack, Template>;

fn of_mode(descriptions: &Descriptions, facts: &RecoveryFacts, prices: &Prices, mode: Mode) -> ModeCost {
    let mut templates = Templates::new();
    let mut not_priced = Vec::new();
    for stack in stacks(descriptions) {
        let generated = generate(descriptions, facts, &stack, mode);
        let is_refused = generated.is_refused();
        match generated.template {
            Some(template) => {
                templates.insert(stack, template);
            }
            None if is_refused => not_priced.push(NotPriced {
                what: "a stack that cannot be built".to_owned(),
                stack: Some(stack.symbol()),
                resource: stack.symbol(),
            }),
            None => {}
        }
    }
    let missing = descriptions.missing.iter().filter(|missing| !missing.is_absent());
    not_priced.extend(missing.map(|missing| NotPriced {
        what: "what could not be described".to_owned(),
        stack: None,
        resource: missing.resource.clone(),
    }));
    let mut costs = Vec::new();
    for (stack, template) in &templates {
        let mut bill = resource::Bill::new(&templates, stack, &facts.region, prices);
        bill.template(template);
        not_priced.extend(bill.not_priced);
        if bill.charges.is_empty() {
            continue;
        }
        let usd_per_month: Usd = bill.charges.iter().map(|charge| charge.usd_per_month).sum();
        costs.push(StackCost {
            stack: stack.symbol(),
            usd_per_hour: usd_per_month.of_an_hour(),
            usd_per_month,
            charges: bill.charges,
        });
    }
    not_priced.sort();
    not_priced.dedup();
    let usd_per_month: Usd = costs.iter().map(|stack| stack.usd_per_month).sum();
    ModeCost {
        usd_per_hour: usd_per_month.of_an_hour(),
        usd_per_month,
        is_most: (costs.iter().flat_map(|stack| &stack.charges)).any(|charge| charge.is_most),
        stacks: costs,
        not_priced,
    }
}
