//! Where traces go, in the variables that OpenTelemetry has for it.

use std::{collections::HashMap, str::FromStr};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use shared::{
    github::BaseUrl,
    settings::{self, Environment},
};

use super::Sampler;

/// Where traces go, from variables that begin with `OTEL_`. Others of OpenTelemetry's mean nothing here.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct TracesConfig {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector, which takes OTLP over HTTP under `/v1/traces`. Without it nothing is sent.
    #[serde(deserialize_with = "settings::parsed_some")]
    pub exporter_otlp_endpoint: Option<BaseUrl>,
    /// `OTEL_EXPORTER_OTLP_HEADERS`: what is sent along, such as a key; `NAME=VALUE`, separated by commas.
    pub exporter_otlp_headers: Option<SecretString>,
    /// `OTEL_SERVICE_NAME`, default `autoscaler`.
    pub service_name: String,
    /// `OTEL_RESOURCE_ATTRIBUTES`: what all spans say besides; `NAME=VALUE`, separated by commas.
    #[serde(deserialize_with = "settings::parsed_some")]
    pub resource_attributes: Option<Pairs>,
    /// `OTEL_TRACES_SAMPLER`, default `parentbased_always_on`: which traces are kept.
    #[serde(deserialize_with = "settings::parsed")]
    pub traces_sampler: Sampler,
    /// `OTEL_TRACES_SAMPLER_ARG`, 0 to 1, default 1: the part that is kept by `traceidratio`.
    #[serde(deserialize_with = "settings::parsed")]
    pub traces_sampler_arg: Ratio,
}

/// From 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(f64);

impl FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ratio = text.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.map(Self).ok_or_else(|| "is a number from 0 to 1".to_owned())
    }
}

/// Names with values, as OpenTelemetry writes them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pairs(HashMap<String, String>);

impl FromStr for Pairs {
    type Err = &'static str;

    /// Not quoted: what stands there may be a secret.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ODD: &str = "is NAME=VALUE, separated by commas";
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let (name, value) = part.split_once('=').map(|(name, value)| (name.trim(), value.trim())).ok_or(ODD)?;
            // Values may be encoded as in an address.
            let value = form_urlencoded::parse(format!("v={}", value.replace('+', "%2B")).as_bytes())
                .next()
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default();
            if name.is_empty() { Err(ODD) } else { Ok((name.to_owned(), value)) }
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }
}

impl Pairs {
    /// Each name with its value.
    #[must_use]
    pub fn into_map(self) -> HashMap<String, String> {
        self.0
    }
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            exporter_otlp_endpoint: None,
            exporter_otlp_headers: None,
            service_name: "autoscaler".to_owned(),
            resource_attributes: None,
            traces_sampler: Sampler::default(),
            traces_sampler_arg: Ratio(1.0),
        }
    }
}

impl TracesConfig {
    /// Reads the settings.
    pub fn load(environment: &mut Environment) -> Self {
        let config: Self = environment.section("OTEL_");
        if let Err(problem) = config.headers() {
            environment.problem("OTEL_EXPORTER_OTLP_HEADERS", problem);
        }
        config
    }

    /// What is sent along.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn headers(&self) -> Result<Pairs, &'static str> {
        self.exporter_otlp_headers.as_ref().map_or_else(|| Ok(Pairs::default()), |text| text.expose_secret().parse())
    }

    /// Which traces are kept.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        self.traces_sampler.with_ratio(self.traces_sampler_arg.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems<const N: usize>(variables: [(&str, &str); N]) -> String {
        let mut environment = Environment::of(variables);
        let config = TracesConfig::load(&mut environment);
        environment.finish().map_or_else(|problems| problems.to_string(), |()| format!("{config:?}"))
    }

    #[test]
    fn what_is_wrong_is_told_by_name_and_no_header_is_shown() {
        let hush = problems([("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush,x=a%20b")]);
        assert!(!hush.contains("hush") && !hush.contains("cannot be used"), "{hush}");
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hush"),
            ("OTEL_RESOURCE_ATTRIBUTES", "=a"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ] {
            let problems = problems([(name, value)]);
            assert!(problems.contains(&format!("{name}: ")) && !problems.contains("hush"), "{problems}");
        }
    }

    #[test]
    fn pairs_are_read_as_opentelemetry_writes_them() {
        let pairs: Pairs = " a=b , c=d%20e+f=, ".parse().unwrap();
        let expected = [("a", "b"), ("c", "d e+f=")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs.into_map(), expected.into());
    }
}
