//! From spans that have ended to the collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter as _, SpanProcessor};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::spans;

/// Spans that may wait for the collector: some seconds of a busy node. Beyond, they are dropped and
/// counted.
const QUEUE: usize = 8_192;
/// Spans of one export.
const BATCH: usize = 512;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How long the collector may take for a batch.
pub(super) const WITHIN: Duration = Duration::from_secs(5);
/// How long the last spans may take when the node stops.
const LAST: Duration = Duration::from_secs(2);
/// The log says at most once in so long that the collector does not take spans.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Takes spans as they end, without waiting for anything.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<SpanData>,
    dropped: Arc<AtomicU64>,
}

/// What exports them.
pub(crate) struct Export {
    exporter: SpanExporter,
    queue: mpsc::Receiver<SpanData>,
    /// Since the log last said so.
    dropped: Arc<AtomicU64>,
    complained: Option<Instant>,
}

/// The export, running.
pub(crate) struct Exporting {
    closing: CancellationToken,
    task: JoinHandle<()>,
}

impl Queue {
    pub(super) fn new(exporter: SpanExporter) -> (Self, Export) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let export = Export { exporter, queue, dropped: Arc::clone(&dropped), complained: None };
        (Self { sender, dropped }, export)
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            lose(&self.dropped, 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Export {
    /// Begins to export. Inside a runtime.
    pub(crate) fn run(self) -> Exporting {
        let closing = CancellationToken::new();
        let task = tokio::spawn(self.export(closing.clone()));
        Exporting { closing, task }
    }

    async fn export(mut self, closing: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(1..) =
            closing.run_until_cancelled(self.queue.recv_many(&mut batch, BATCH)).await
        {
            let gather_until = Instant::now() + GATHER;
            while batch.len() < BATCH && !closing.is_cancelled() {
                let room = BATCH - batch.len();
                let more = self.queue.recv_many(&mut batch, room);
                let more = closing.run_until_cancelled(timeout_at(gather_until, more));
                if !matches!(more.await, Some(Ok(1..))) {
                    break;
                }
            }
            let count = batch.len() as u64;
            let sending = self.send(std::mem::take(&mut batch), WITHIN);
            if closing.run_until_cancelled(sending).await.is_none() {
                lose(&self.dropped, count);
            }
        }
        self.queue.close();
        let last_until = Instant::now() + LAST;
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            let within = last_until.saturating_duration_since(Instant::now());
            self.send(std::mem::take(&mut batch), within).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>, within: Duration) {
        let count = batch.len() as u64;
        let batch = batch.into_iter().map(spans::translate).collect();
        let trouble = match timeout(within, self.exporter.export(batch)).await {
            Ok(Ok(())) => {
                metrics::counter!("yunling_trace_spans_exported_total").increment(count);
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} ms", within.as_millis())),
        };
        if trouble.is_some() {
            lose(&self.dropped, count);
        }
        self.complain(trouble);
    }

    fn complain(&mut self, trouble: Option<String>) {
        let now = Instant::now();
        if self.complained.is_some_and(|last| now - last < COMPLAIN_EVERY) {
            return;
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped == 0 {
            return;
        }
        self.complained = Some(now);
        let why = trouble.unwrap_or_else(|| "more spans came than it takes".to_owned());
        tracing::warn!(dropped, why, "telemetry.otlp: the collector did not take all spans");
    }
}

fn lose(dropped: &AtomicU64, count: u64) {
    dropped.fetch_add(count, Ordering::Relaxed);
    metrics::counter!("yunling_trace_spans_dropped_total").increment(count);
}

impl Exporting {
    /// Exports what waits, for some seconds at most.
    pub(crate) async fn stop(self) {
        self.closing.cancel();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the export of traces did not end in order");
        }
    }
}
