//! The plot of `growth`: cost over keys on the left, throughput over threads on the right.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::failure::Failure;
use crate::growth::Point;

const SIZE: (u32, u32) = (900, 360);
const FONT: (&str, u32) = ("sans-serif", 14);
/// Room above the highest point.
const HEADROOM: f64 = 1.15;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws the points into an SVG file.
pub fn draw(points: &[Point], svg: &Path) -> Result<(), Failure> {
    draw_panels(points, svg).map_err(|error| Failure::unable(format!("drawing {}", svg.display()), error))
}

/// A number of keys as people write it.
pub fn keys_text(keys: u64) -> String {
    match keys {
        _ if keys >= 1_000_000 => format!("{} M", keys as f64 / 1e6),
        _ if keys >= 1_000 => format!("{} k", keys as f64 / 1e3),
        _ => keys.to_string(),
    }
}

fn draw_panels(points: &[Point], svg: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::new(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(SIZE.0 / 2);
    let by_keys: Vec<(f64, f64)> =
        points.iter().filter(|it| it.place.threads == 1).map(|it| (it.place.keys as f64, it.cpu_us)).collect();
    let keys = range(&by_keys);
    let mut chart = panel(&left, "CPU µs per record by keys, one thread")
        .build_cartesian_2d((keys.start..keys.end * 1.5).log_scale(), 0.0..top(&by_keys))?;
    chart
        .configure_mesh()
        .x_label_formatter(&|keys| keys_text(*keys as u64))
        .label_style(FONT)
        .x_desc("keys")
        .draw()?;
    chart.draw_series(LineSeries::new(by_keys.iter().copied(), BLUE.stroke_width(2)))?;
    chart.draw_series(by_keys.iter().map(|at| Circle::new(*at, 4, BLUE.filled())))?;

    let by_threads = by_threads(points);
    let mut chart = panel(&right, "k records/s by threads")
        .build_cartesian_2d(0.0..range(&by_threads).end + 0.5, 0.0..top(&by_threads))?;
    chart.configure_mesh().label_style(FONT).x_desc("stream threads").x_labels(5).draw()?;
    chart.draw_series(LineSeries::new(by_threads.iter().copied(), BLUE.stroke_width(2)))?;
    chart.draw_series(by_threads.iter().map(|at| Circle::new(*at, 4, BLUE.filled())))?;
    root.present()?;
    Ok(())
}

fn panel<'a, 'b>(area: &'a Area<'b>, caption: &str) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.caption(caption, ("sans-serif", 16)).margin(12).x_label_area_size(40).y_label_area_size(48);
    builder
}

/// The points with as many keys as those of several threads.
fn by_threads(points: &[Point]) -> Vec<(f64, f64)> {
    let keys = points.iter().find(|it| it.place.threads > 1).map(|it| it.place.keys);
    let same = points.iter().filter(|it| Some(it.place.keys) == keys);
    same.map(|it| (f64::from(it.place.threads), it.records_per_s / 1e3)).collect()
}

fn range(points: &[(f64, f64)]) -> Range<f64> {
    let of = |fold: fn(f64, f64) -> f64, start| points.iter().map(|(x, _)| *x).fold(start, fold);
    of(f64::min, f64::MAX)..of(f64::max, 1.0)
}

fn top(points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(_, y)| *y).fold(0.0, f64::max) * HEADROOM
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::growth::places;

    #[test]
    fn the_plot_has_every_point() {
        let point = |place| Point { place, records_per_s: 100_000.0, cpu_us: 5.0, rss_mb: 100.0 };
        let points: Vec<Point> = places(false).into_iter().map(point).collect();
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("growth.svg");
        draw(&points, &svg).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        // Four numbers of keys; one, two and four threads.
        assert_eq!(text.matches("<circle").count(), 4 + 3);
        assert!(text.contains("100 k") && text.contains("stream threads"), "{text}");
    }

    #[test]
    fn keys_are_written_short() {
        assert_eq!([10_000, 10_000_000, 7].map(keys_text), ["10 k", "10 M", "7"]);
    }
}
