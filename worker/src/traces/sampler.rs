//! Which traces are kept.

use std::str::FromStr;

use shared::model::JobTrace;

/// Which traces are kept, as `OTEL_TRACES_SAMPLER` names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    rule: Rule,
    /// Whether a delivery that belongs to a trace already is kept if that is.
    by_parent: bool,
    /// Of all traces, the part that is kept with a ratio.
    ratio: f64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rule {
    AlwaysOn,
    AlwaysOff,
    Ratio,
}

impl FromStr for Sampler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (by_parent, rule) = text.strip_prefix("parentbased_").map_or((false, text), |rule| (true, rule));
        let rule = match rule {
            "always_on" => Rule::AlwaysOn,
            "always_off" => Rule::AlwaysOff,
            "traceidratio" => Rule::Ratio,
            _ => {
                return Err(format!(
                    "is always_on, always_off or traceidratio, perhaps after parentbased_, not {text:?}"
                ));
            }
        };
        Ok(Self { rule, by_parent, ratio: 1.0 })
    }
}

impl Default for Sampler {
    /// `parentbased_always_on`.
    fn default() -> Self {
        Self { rule: Rule::AlwaysOn, by_parent: true, ratio: 1.0 }
    }
}

impl Sampler {
    /// The same, keeping that part of all traces where it goes by a ratio.
    #[must_use]
    pub fn with_ratio(self, ratio: f64) -> Self {
        Self { ratio, ..self }
    }

    /// Whether a trace is kept: the same for each of its spans, and in every process that goes by the same rule.
    #[must_use]
    pub fn takes(&self, trace: &JobTrace) -> bool {
        if let Some(parent) = trace.parent.as_ref().filter(|_| self.by_parent) {
            return parent.is_sampled();
        }
        match self.rule {
            Rule::AlwaysOn => true,
            Rule::AlwaysOff => false,
            Rule::Ratio => part(trace.traceparent.trace_id()) < self.ratio,
        }
    }
}

/// Where a trace's id stands among all there can be, from 0 to 1: its last seven bytes are random.
fn part(trace_id: &str) -> f64 {
    let last = trace_id.get(19..).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
    // As exact as it need be.
    #[allow(clippy::cast_precision_loss)]
    let part = last as f64 / (1_u64 << 52) as f64;
    part
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn kept(sampler: Sampler, parent: Option<&str>) -> usize {
        let begin = || JobTrace::begin(parent.map(|parent| parent.parse().unwrap()), Duration::ZERO);
        (0..1000).filter(|_| sampler.takes(&begin())).count()
    }

    #[test]
    fn a_ratio_keeps_that_part_of_the_traces_and_a_parent_decides_for_its_own() {
        let sampler = |text: &str| text.parse::<Sampler>().unwrap();
        assert_eq!(kept(Sampler::default(), None), 1000);
        assert_eq!(kept(sampler("always_off"), None), 0);
        let tenth = kept(sampler("traceidratio").with_ratio(0.1), None);
        assert!((40..200).contains(&tenth), "{tenth}");
        assert_eq!(kept(sampler("traceidratio").with_ratio(0.0), None), 0);
        assert_eq!(kept(sampler("traceidratio").with_ratio(1.0), None), 1000);

        let of = |flags| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        assert_eq!(kept(Sampler::default(), Some(&of("00"))), 0);
        assert_eq!(kept(sampler("parentbased_always_off"), Some(&of("01"))), 1000);
        assert_eq!(kept(sampler("always_off"), Some(&of("01"))), 0);
        assert!("jaeger_remote".parse::<Sampler>().is_err());
    }
}
