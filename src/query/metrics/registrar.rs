//! Makes metrics from their descriptions and remembers which: what is registered is what is documented.

use prometheus::core::Collector;
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::description::{Description, Kind};

/// A registry and the descriptions of what is in it.
#[derive(Default)]
pub struct Registrar {
    /// What a scrape gathers.
    pub registry: Registry,
    /// What was described, in the order of registration.
    pub described: Vec<&'static Description>,
}

impl Registrar {
    /// A family of whole counters.
    pub fn counters(&mut self, description: &'static Description) -> Result<IntCounterVec, prometheus::Error> {
        let made = IntCounterVec::new(opts(description), description.labels)?;
        self.keep(Kind::Counter, description, made)
    }

    /// A family of counters of fractions, such as seconds.
    pub fn real_counters(&mut self, description: &'static Description) -> Result<CounterVec, prometheus::Error> {
        let made = CounterVec::new(opts(description), description.labels)?;
        self.keep(Kind::Counter, description, made)
    }

    /// A family of whole gauges.
    pub fn gauges(&mut self, description: &'static Description) -> Result<IntGaugeVec, prometheus::Error> {
        let made = IntGaugeVec::new(opts(description), description.labels)?;
        self.keep(Kind::Gauge, description, made)
    }

    /// A family of gauges of fractions.
    pub fn real_gauges(&mut self, description: &'static Description) -> Result<GaugeVec, prometheus::Error> {
        let made = GaugeVec::new(opts(description), description.labels)?;
        self.keep(Kind::Gauge, description, made)
    }

    /// A family of histograms with these upper bounds.
    pub fn histograms(
        &mut self,
        description: &'static Description,
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        let opts = HistogramOpts::new(description.name, description.meaning).buckets(buckets.to_vec());
        let made = HistogramVec::new(opts, description.labels)?;
        self.keep(Kind::Histogram, description, made)
    }

    /// Notes a metric that somebody else gathers.
    pub fn describe(&mut self, description: &'static Description) -> &'static Description {
        self.described.push(description);
        description
    }

    fn keep<C: Collector + Clone + 'static>(
        &mut self,
        kind: Kind,
        description: &'static Description,
        made: C,
    ) -> Result<C, prometheus::Error> {
        assert_eq!(description.kind, kind, "{} is registered as what it is described", description.name);
        self.registry.register(Box::new(made.clone()))?;
        self.described.push(description);
        Ok(made)
    }
}

fn opts(description: &Description) -> Opts {
    Opts::new(description.name, description.meaning)
}
