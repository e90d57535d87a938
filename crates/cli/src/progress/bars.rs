//! Progress as bars on a terminal.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Event, Phase, Renderer, Unit};

/// Draws one bar per phase.
pub(super) struct Bars {
    all: MultiProgress,
    bars: Mutex<BTreeMap<Phase, (ProgressBar, Unit)>>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            all: MultiProgress::new(),
            bars: Mutex::new(BTreeMap::new()),
        }
    }
}

fn style(unit: Unit, total: bool) -> ProgressStyle {
    let template = match (unit, total) {
        (Unit::Bytes, true) => "{prefix:22} {bar:30} {bytes}/{total_bytes} {elapsed} {wide_msg}",
        (Unit::Bytes, false) => "{prefix:22} {spinner} {bytes} {elapsed} {wide_msg}",
        (_, true) => "{prefix:22} {bar:30} {human_pos}/{human_len} {elapsed} {wide_msg}",
        (_, false) => "{prefix:22} {spinner} {human_pos} {elapsed} {wide_msg}",
    };
    ProgressStyle::with_template(template).expect("the templates are constants that a test reads")
}

impl Renderer for Bars {
    fn event(&self, event: &Event) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Begun(phase, unit, total) => {
                let bar = match total {
                    Some(total) => ProgressBar::new(*total),
                    None => ProgressBar::new_spinner(),
                };
                bar.set_style(style(*unit, total.is_some()));
                bar.set_prefix(phase.title());
                let bar = self.all.add(bar);
                bar.enable_steady_tick(Duration::from_millis(200));
                bars.insert(*phase, (bar, *unit));
            }
            Event::Total(phase, total) => {
                if let Some((bar, unit)) = bars.get(phase) {
                    if bar.length().is_none() {
                        bar.set_style(style(*unit, true));
                    }
                    bar.set_length(*total);
                }
            }
            Event::At(phase, text) => {
                if let Some((bar, _)) = bars.get(phase) {
                    bar.set_message(text.clone());
                }
            }
            Event::Advanced(phase, by) => {
                if let Some((bar, _)) = bars.get(phase) {
                    bar.inc(*by);
                }
            }
            Event::Ended(phase) => {
                if let Some((bar, _)) = bars.remove(phase) {
                    bar.set_message("");
                    bar.abandon();
                }
            }
            Event::Note(text) | Event::Warning(text) => self.all.suspend(|| eprintln!("{text}")),
        }
    }

    fn suspended(&self, write: &mut dyn FnMut()) {
        self.all.suspend(write);
    }

    fn close(&self) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        for (bar, _) in std::mem::take(&mut *bars).into_values() {
            bar.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_can_be_rendered() {
        for unit in [Unit::Bytes, Unit::Objects, Unit::Types] {
            drop((style(unit, true), style(unit, false)));
        }
    }
}
