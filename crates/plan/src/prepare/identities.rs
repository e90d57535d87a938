//! The translation of an object by the identity map, as changes of the plan.

use lifeboat_model::TypeSelector;
use lifeboat_translate::identity::{KnownLeftover, Leftover, Outcome};
use lifeboat_translate::{Rule, glob};
use serde_json::Value;

use super::{labels, subject};
use crate::planned::PlannedChange;
use crate::render::ValueRenderer;
use crate::rule::RuleId;
use crate::settings::Settings;
use crate::source::SourceType;

/// What the translation of a part of an object did.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Translated {
    pub(crate) changes: Vec<PlannedChange>,
    pub(crate) leftovers: Vec<Leftover>,
}

/// Translates one object.
pub(crate) struct Translator<'a> {
    settings: &'a Settings,
    r#type: &'a SourceType,
    shower: ValueRenderer<'a>,
    /// The leftovers that the map declares for this object.
    known: Vec<&'a KnownLeftover>,
}

impl<'a> Translator<'a> {
    /// `captured` is the object as captured, which the conditions of known leftovers are evaluated on.
    pub(crate) fn new(settings: &'a Settings, r#type: &'a SourceType, captured: &Value) -> Self {
        let all = settings.identities.known_leftovers();
        let labels = if all.is_empty() {
            Default::default()
        } else {
            labels(captured)
        };
        let subject = subject(r#type, captured, &labels);
        Self {
            settings,
            r#type,
            shower: ValueRenderer::of_type(
                &r#type.resource.group,
                &r#type.resource.resource,
                &settings.redactor,
            ),
            known: all.iter().filter(|known| known.when.holds(&subject)).collect(),
        }
    }

    fn names(&self) -> (&'a str, &'a str) {
        (&self.r#type.resource.group, &self.r#type.resource.resource)
    }

    /// Translates the object, and the values of it in the keys of `managedFields`.
    pub(super) fn object(&self, body: &mut Value, managed_fields: &mut [Value]) -> Translated {
        if self.settings.identities.is_empty() {
            return Translated::default();
        }
        let is_named = |selector: &TypeSelector| self.r#type.is_named_by(selector);
        let outcome = self.settings.identities.apply(self.names(), &is_named, body);
        if !outcome.rewritten.is_empty() {
            let fields = managed_fields
                .iter_mut()
                .filter_map(|entry| entry.get_mut("fieldsV1"));
            fields.for_each(|fields| self.settings.identities.apply_to_fields(fields));
        }
        self.planned(outcome)
    }

    /// Translates the status, in case it is restored.
    pub(super) fn status(&self, status: Option<&mut Value>) -> Translated {
        match status {
            Some(status) if !self.settings.identities.is_empty() => {
                let outcome = self
                    .settings
                    .identities
                    .apply_to_part(self.names(), "/status", status);
                self.planned(outcome)
            }
            _ => Translated::default(),
        }
    }

    /// Returns what names the primary in an object that was translated and patched.
    pub(crate) fn leftovers(&self, body: &Value) -> Vec<Leftover> {
        let leftovers = self.settings.identities.leftovers(self.names(), body);
        self.shown(leftovers)
    }

    fn planned(&self, outcome: Outcome) -> Translated {
        let changes = outcome.rewritten.into_iter().map(|one| PlannedChange {
            rule: rule_of(one.rule),
            patch: None,
            from: Some(self.shower.render(&one.path, &one.from.into())),
            to: Some(self.shower.render(&one.path, &one.to.into())),
            path: one.path,
        });
        Translated {
            changes: changes.collect(),
            leftovers: self.shown(outcome.leftovers),
        }
    }

    /// Adds the reasons of known leftovers, and replaces what a plan must not show.
    fn shown(&self, leftovers: Vec<Leftover>) -> Vec<Leftover> {
        let shown = leftovers.into_iter().map(|leftover| {
            let known = self
                .known
                .iter()
                .find(|known| glob::matches(&known.token, &leftover.token));
            Leftover {
                reason: known.map(|known| known.reason.clone()),
                token: self.shower.render(&leftover.path, &leftover.token.into()),
                ..leftover
            }
        });
        shown.collect()
    }
}

fn rule_of(rule: Rule) -> RuleId {
    match rule {
        Rule::Namespace => RuleId::MapNamespace,
        Rule::Name => RuleId::TranslateName,
        Rule::Arn => RuleId::TranslateArn,
        Rule::ArnOfResource => RuleId::TranslateArnOfResource,
        Rule::Registry => RuleId::TranslateRegistry,
        Rule::Host => RuleId::TranslateHost,
        Rule::Url => RuleId::TranslateUrl,
        Rule::Zone => RuleId::TranslateZone,
        Rule::Id => RuleId::TranslateId,
        Rule::Region => RuleId::TranslateRegion,
        Rule::Account => RuleId::TranslateAccount,
    }
}
