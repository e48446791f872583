//! Passes of the executor: each sequence has a cache of its own, and only what no cache holds is computed.

use llm_core::decode::{Chunk, Executor, Plan, SequenceCache};

/// Shared tokens from which the cache of another sequence is copied.
const WORTH_COPYING: usize = 8;

/// Bytes of caches that are kept for later prompts.
const REMEMBERED_BYTES: usize = 256 << 20;

/// New tokens up to which sequences are computed together.
const SHORT: usize = 8;

/// Tokens of prompts that are computed together.
const TOGETHER: usize = 512;

/// An executor, and the caches of the sequences that it works on.
pub(super) struct Planned {
    executor: Executor,
    /// By number of the sequence.
    working: Vec<Option<Held>>,
    /// Of finished sequences, the oldest first.
    remembered: Vec<Held>,
    /// Tokens that passes computed so far.
    pub(super) n_computed: usize,
    /// Passes so far.
    #[cfg(test)]
    pub(super) n_passes: usize,
}

/// A cache and the tokens that it has seen.
struct Held {
    tokens: Vec<u32>,
    cache: SequenceCache,
}

/// What a sequence wants of a pass.
pub(super) struct Request<'a> {
    /// Number of the sequence.
    pub(super) sequence: usize,
    /// All that the model sees, guesses at the end included.
    pub(super) context: Vec<u32>,
    /// How many tokens at the end are guesses.
    pub(super) n_guessed: usize,
    /// Tokens that the context may grow to.
    pub(super) capacity: usize,
    /// Where the logits after the last known token and after each guess go, one vector for each. Guesses are left out of a pass over
    /// more than one known token.
    pub(super) logits: &'a mut Vec<Vec<f32>>,
}

impl Planned {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            executor: Executor::new(plan),
            working: Vec::new(),
            remembered: Vec::new(),
            n_computed: 0,
            #[cfg(test)]
            n_passes: 0,
        }
    }

    /// Fills in the logits of all requests.
    pub(super) fn run(&mut self, requests: Vec<Request<'_>>) {
        let (mut prompts, mut others) = (Vec::new(), Vec::new());
        for mut request in requests {
            // What begins alike waits for the cache of the first.
            let new = self
                .working
                .get(request.sequence)
                .is_none_or(Option::is_none);
            if new && !fits(&prompts, &request) {
                self.pass(std::mem::take(&mut prompts));
            }
            let held = self.prepare(&request);
            let n_known = request.context.len() - request.n_guessed;
            let n_pending = n_known - held.tokens.len();
            if n_pending > 1 {
                // A prompt is computed as without guesses, so that the bits are the same.
                request.context.truncate(n_known);
                request.n_guessed = 0;
            }
            if n_pending <= SHORT {
                others.push((request, held));
            } else if new {
                prompts.push((request, held));
            } else {
                // Guesses decide which contexts are computed anew at the same time: alone, the bits do not depend on them.
                self.pass(vec![(request, held)]);
            }
        }
        self.pass(prompts);
        self.pass(others);
    }

    /// Ends the work on a sequence; its cache may serve a later prompt.
    pub(super) fn finish(&mut self, sequence: usize) {
        let held = self.working.get_mut(sequence).and_then(Option::take);
        self.remembered.extend(held);
        let mut bytes = 0;
        let newest = self.remembered.iter().rev();
        let kept = newest
            .take_while(|held| {
                bytes += held.cache.bytes();
                bytes <= REMEMBERED_BYTES
            })
            .count();
        self.remembered.drain(..self.remembered.len() - kept);
    }

    /// The cache of a sequence, cut to what its context begins with; the best start there is when it has none.
    fn prepare(&mut self, request: &Request<'_>) -> Held {
        if self.working.len() <= request.sequence {
            self.working.resize_with(request.sequence + 1, || None);
        }
        // The logits that are wanted are computed, whatever the cache holds.
        let context = &request.context[..request.context.len() - request.n_guessed - 1];
        if let Some(own) = self.working[request.sequence].take() {
            let shared = own.shared_with(context);
            if shared > 0 || own.tokens.is_empty() {
                return own.cut(shared);
            }
        }
        let others = self.working.iter().flatten().chain(&self.remembered);
        let best = others.max_by_key(|held| held.shared_with(context));
        match best {
            Some(held) if held.shared_with(context) >= WORTH_COPYING => {
                held.copy().cut(held.shared_with(context))
            }
            _ => Held {
                tokens: Vec::with_capacity(request.capacity),
                cache: SequenceCache::new(self.executor.plan(), request.capacity),
            },
        }
    }

    /// One pass over all parts.
    fn pass(&mut self, mut parts: Vec<(Request<'_>, Held)>) {
        if parts.is_empty() {
            return;
        }
        let mut chunks: Vec<Chunk<'_>> = parts
            .iter_mut()
            .map(|(request, held)| Chunk {
                tokens: &request.context[held.tokens.len()..],
                cache: &mut held.cache,
                n_scored: 1 + request.n_guessed,
            })
            .collect();
        self.n_computed += chunks.iter().map(|c| c.tokens.len()).sum::<usize>();
        #[cfg(test)]
        {
            self.n_passes += 1;
        }
        let vocab_size = self.executor.plan().vocab_size();
        let mut logits = self.executor.run(&mut chunks).chunks_exact(vocab_size);
        for (request, mut held) in parts {
            let rows = logits.by_ref().take(1 + request.n_guessed);
            request.logits.extend(rows.map(<[f32]>::to_vec));
            held.tokens = request.context;
            self.working[request.sequence] = Some(held);
        }
    }
}

/// Whether a prompt may be computed together with others: not many tokens in all, and none that another one computes too.
fn fits(prompts: &[(Request<'_>, Held)], request: &Request<'_>) -> bool {
    let n: usize = prompts.iter().map(|(other, _)| other.context.len()).sum();
    let apart = |other: &Request<'_>| common(&other.context, &request.context) < WORTH_COPYING;
    n + request.context.len() <= TOGETHER && prompts.iter().all(|(other, _)| apart(other))
}

/// How many tokens two contexts begin with alike.
fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl Held {
    /// How many tokens of `context` this cache can be cut to.
    fn shared_with(&self, context: &[u32]) -> usize {
        let shared = common(&self.tokens, context);
        if self.cache.can_truncate(shared) {
            shared
        } else {
            0
        }
    }

    fn cut(mut self, len: usize) -> Self {
        self.tokens.truncate(len);
        self.cache.truncate(len);
        self
    }

    fn copy(&self) -> Self {
        Self {
            tokens: self.tokens.clone(),
            cache: self.cache.clone(),
        }
    }
}
