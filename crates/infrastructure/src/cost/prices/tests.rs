#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use super::*;

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn table(prices: Value) -> Value {
    json!({"format": "lifeboat.dev/prices/v1", "prices": prices,
           "sources": {"contract": {"url": "contract 7", "date": "2026-11-30"}}})
}

fn read(document: &Value) -> Result<Prices, InvalidPrices> {
    Prices::read(document.to_string().as_bytes())
}

/// Returns a price in its text form.
fn found(prices: &Prices, charge: Charge, item: Option<&str>, of: &str) -> Option<String> {
    prices.find(charge, item, &region(of)).map(|usd| usd.to_string())
}

#[test]
fn the_built_in_table_says_where_its_prices_come_from() {
    let built_in: PriceTable = serde_json::from_slice(BUILT_IN).unwrap();
    assert!(built_in.about.unwrap().contains("--prices FILE"));
    for price in &built_in.prices {
        let source = &built_in.sources[price.source.as_ref().unwrap()];
        assert!(source.url.contains("aws.amazon.com/"), "{price:?}");
        let date = source.date.as_deref().unwrap_or("2026-01-01");
        let date: Vec<usize> = date.split('-').map(str::len).collect();
        assert_eq!(date, [4, 2, 2], "{price:?}");
        assert!(price.usd > Usd::ZERO, "{price:?}");
    }
    assert_eq!(built_in.extends, None);
    let prices = Prices::built_in();
    for (charge, item, of, usd) in [
        (Charge::EksClusterHour, None, "ap-south-2", Some("0.1")),
        (
            Charge::Ec2InstanceHour,
            Some("m6i.large"),
            "us-east-1",
            Some("0.096"),
        ),
        (
            Charge::Ec2InstanceHour,
            Some("m6i.large"),
            "eu-central-1",
            Some("0.115"),
        ),
        (Charge::Ec2InstanceHour, Some("m6i.large"), "ap-south-2", None),
        (Charge::Ec2InstanceHour, Some("x99.large"), "us-east-1", None),
        (Charge::NatGatewayHour, None, "eu-west-1", Some("0.048")),
        // Prices of other partitions are others, in China in another currency.
        (Charge::EksClusterHour, None, "cn-north-1", None),
        (Charge::EksClusterHour, None, "us-gov-west-1", None),
    ] {
        assert_eq!(found(&prices, charge, item, of).as_deref(), usd, "{charge} {of}");
    }
}

/// A larger instance of a family costs its share, as far as the size says it.
#[test]
fn the_sizes_of_a_family_have_prices_in_proportion() {
    let prices = Prices::built_in();
    for family in ["t3", "m5", "m6i", "m6g", "c5", "r5", "r6i"] {
        for of in ["us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1"] {
            let of = region(of);
            let price = |size: &str| {
                let item = format!("{family}.{size}");
                prices.find(Charge::Ec2InstanceHour, Some(&item), &of).unwrap()
            };
            assert_eq!(price("large").times(2), price("xlarge"), "{family} {of}");
            assert_eq!(price("large").times(4), price("2xlarge"), "{family} {of}");
        }
    }
}

#[test]
fn a_table_replaces_the_built_in_one_or_extends_it() {
    let own = json!([{"charge": "natGatewayHour", "regions": ["eu-central-1", "eu-south-1"], "usd": "0.04",
                      "source": "contract"}]);
    let mut document = table(own);
    let replaced = read(&document).unwrap();
    let nat = Charge::NatGatewayHour;
    assert_eq!(found(&replaced, nat, None, "eu-south-1").as_deref(), Some("0.04"));
    assert_eq!(found(&replaced, nat, None, "eu-west-1"), None);
    assert_eq!(found(&replaced, Charge::KmsKeyMonth, None, "eu-west-1"), None);
    assert_eq!(replaced.sources().len(), 1);

    document["extends"] = json!("builtIn");
    let extended = read(&document).unwrap();
    assert_eq!(
        found(&extended, nat, None, "eu-central-1").as_deref(),
        Some("0.04")
    );
    assert_eq!(found(&extended, nat, None, "eu-west-1").as_deref(), Some("0.048"));
    assert_eq!(
        found(&extended, Charge::KmsKeyMonth, None, "eu-west-1").as_deref(),
        Some("1")
    );
    assert_eq!(extended.sources().len(), Prices::built_in().sources().len() + 1);
}

#[test]
fn a_price_for_every_region_counts_before_those_of_the_table_that_is_extended() {
    let own = json!([{"charge": "natGatewayHour", "regions": ["*"], "usd": "0.03"},
                     {"charge": "natGatewayHour", "regions": ["eu-west-1"], "usd": "0.02"}]);
    let mut document = table(own);
    document["extends"] = json!("builtIn");
    let prices = read(&document).unwrap();
    for (of, usd) in [
        ("eu-central-1", "0.03"),
        ("eu-west-1", "0.02"),
        ("ap-south-2", "0.03"),
    ] {
        assert_eq!(
            found(&prices, Charge::NatGatewayHour, None, of).as_deref(),
            Some(usd)
        );
    }
}

#[test]
fn what_is_wrong_with_a_table_is_said() {
    let good =
        || json!({"charge": "ec2InstanceHour", "item": "m5.large", "regions": ["eu-west-1"], "usd": "0.1"});
    let with = |field: &str, value: Value| {
        let mut price = good();
        price[field] = value;
        table(json!([price]))
    };
    assert!(read(&table(json!([good()]))).is_ok());
    let other = json!({"format": "lifeboat.dev/prices/v2", "prices": []});
    for (document, says) in [
        (other, "of the format \"lifeboat.dev/prices/v2\""),
        (
            with("item", Value::Null),
            "position 1 (EC2 instance) needs `item`",
        ),
        (
            with("charge", json!("natGatewayHour")),
            "(NAT gateway, m5.large) has no `item`",
        ),
        (with("regions", json!([])), "names no Region"),
        (
            with("regions", json!(["Ireland"])),
            "names \"Ireland\", which is neither a Region nor `*`",
        ),
        (with("usd", json!("1000000.01")), "is more than 1000000 USD"),
        (
            with("source", json!("lost")),
            "names the source \"lost\", which `sources` lacks",
        ),
        (
            table(json!([good(), good()])),
            "position 2 (EC2 instance, m5.large) is there twice for eu-west-1",
        ),
    ] {
        let error = read(&document).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    // Money is never a floating point number.
    for document in [
        with("usd", json!(0.1)),
        with("usd", json!("0.1 USD")),
        with("usd", json!("-1")),
        with("currency", json!("EUR")),
        with("charge", json!("lambdaHour")),
    ] {
        assert!(
            matches!(read(&document), Err(InvalidPrices::Json(_))),
            "{document}"
        );
    }
}
