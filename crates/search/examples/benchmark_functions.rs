//! Median regret on published test functions, beside Optuna's.
//!
//! `benchmark_functions FOLDER [SAMPLER…]` reads `optimization_functions.json` and `optuna_baseline.json` in FOLDER.

use std::path::Path;

use llm_search::*;
use serde_json::Value;

fn evaluate(name: &str, x: &[f64], data: &Value) -> f64 {
    use std::f64::consts::{E, PI, TAU};
    let d = x.len() as f64;
    match name {
        "sphere" => x.iter().map(|x| x * x).sum(),
        "branin" => {
            (x[1] - 5.1 / (4.0 * PI * PI) * x[0] * x[0] + 5.0 / PI * x[0] - 6.0).powi(2)
                + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x[0].cos()
                + 10.0
        }
        "hartmann3" | "hartmann6" => {
            let a = data[format!("{name}_A")].as_array().unwrap();
            let p = data[format!("{name}_P")].as_array().unwrap();
            let alpha = data["hartmann_alpha"].as_array().unwrap();
            -(0..4)
                .map(|i| {
                    let inner: f64 = x
                        .iter()
                        .enumerate()
                        .map(|(j, x)| {
                            a[i][j].as_f64().unwrap() * (x - 1e-4 * p[i][j].as_f64().unwrap()).powi(2)
                        })
                        .sum();
                    alpha[i].as_f64().unwrap() * (-inner).exp()
                })
                .sum::<f64>()
        }
        "rosenbrock" => x
            .windows(2)
            .map(|w| 100.0 * (w[1] - w[0] * w[0]).powi(2) + (w[0] - 1.0).powi(2))
            .sum(),
        "ackley" => {
            let square = x.iter().map(|x| x * x).sum::<f64>() / d;
            let cosine = x.iter().map(|x| (TAU * x).cos()).sum::<f64>() / d;
            -20.0 * (-0.2 * square.sqrt()).exp() - cosine.exp() + 20.0 + E
        }
        "rastrigin" => 10.0 * d + x.iter().map(|x| x * x - 10.0 * (TAU * x).cos()).sum::<f64>(),
        "beale" => {
            let (x, y) = (x[0], x[1]);
            (1.5 - x + x * y).powi(2) + (2.25 - x + x * y * y).powi(2) + (2.625 - x + x * y.powi(3)).powi(2)
        }
        "six_hump_camel" => {
            let (x, y) = (x[0], x[1]);
            (4.0 - 2.1 * x * x + x.powi(4) / 3.0) * x * x + x * y + (4.0 * y * y - 4.0) * y * y
        }
        "styblinski_tang" => 0.5 * x.iter().map(|x| x.powi(4) - 16.0 * x * x + 5.0 * x).sum::<f64>(),
        _ => unreachable!("{name}"),
    }
}

fn regret(name: &str, data: &Value, dims: usize, seed: u64, sampler: Box<dyn Sampler>) -> f64 {
    let function = &data["functions"][name];
    let bounds = function["bounds"].as_array().unwrap();
    let mut text = String::new();
    for i in 0..dims {
        let b = &bounds[i.min(bounds.len() - 1)];
        text += &format!("x{i} = {{ type = 'float', min = {}, max = {} }}\n", b[0], b[1]);
    }
    let config: SpaceConfig = toml::from_str(&text).unwrap();
    let mut study = Study::new(Space::new(config.parameters).unwrap(), StudyOptions { seed, ..Default::default() })
        .unwrap()
        .with_sampler(sampler);
    let objective = |trial: &Running<'_>| {
        let x: Vec<f64> = (0..dims).map(|i| trial.float(&format!("x{i}"))).collect();
        evaluate(name, &x, data)
    };
    study.optimize(&objective, Limits { trials: Some(100), timeout: None }).unwrap();
    study.best().unwrap().values[0] - function["minimum"].as_f64().unwrap()
}

fn main() {
    let folder = std::env::args().nth(1).unwrap();
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(Path::new(&folder).join(name)).unwrap()).unwrap()
    };
    let data = read("optimization_functions.json");
    let baseline = read("optuna_baseline.json");
    let offset: u64 = std::env::var("SEED0").map_or(0, |s| s.parse().unwrap());
    let n: u64 = std::env::var("SEEDS").map_or(20, |s| s.parse().unwrap());
    for variant in std::env::args().skip(2) {
        let mut sum = 0.0;
        let mut worst: f64 = 0.0;
        let mut line = String::new();
        let functions = baseline["functions"].as_object().unwrap();
        for (name, base) in functions {
            let dims = base["dimensions"].as_u64().unwrap() as usize;
            let mut regrets: Vec<f64> = (offset..offset + n)
                .map(|seed| regret(name, &data, dims, seed, make(&variant)))
                .collect();
            regrets.sort_by(f64::total_cmp);
            let h = regrets.len() / 2;
            let median = (regrets[h - 1] + regrets[h]) / 2.0;
            let ratio = median / base["median_regret"]["tpe"].as_f64().unwrap();
            sum += ratio.ln();
            worst = worst.max(ratio);
            line += &format!(" {}={ratio:.2}", &name[..4]);
        }
        println!("{variant}: geo {:.3} worst {worst:.2} |{line}", (sum / functions.len() as f64).exp());
    }
}

fn make(variant: &str) -> Box<dyn Sampler> {
    let mut parts = variant.split(',');
    let name = parts.next().unwrap();
    if name != "tpe" {
        return SamplerConfig::named(name).unwrap().build();
    }
    let mut tpe = TpeSampler::default();
    for part in parts {
        let (key, value) = part.split_once('=').unwrap();
        let v: f64 = value.parse().unwrap();
        let t = &mut tpe.tune;
        match key {
            "s" => tpe.startup_trials = v as usize,
            "c" => tpe.candidates = v as usize,
            "g" => t.gamma = v,
            "gs" => t.gamma_sqrt = v > 0.0,
            "gc" => t.gamma_cap = v as usize,
            "ms" => t.min_sigma = v,
            "ss" => t.sigma_scale = v,
            "m" => t.mode = v as usize,
            "am" => t.above_mode = v as usize,
            "p" => t.prior = v,
            "fk" => t.fk = v,
            "q" => t.sobol = v > 0.0,
            "mix" => t.mix = v,
            "fs" => t.floor_span = v,
            "wm" => t.weight_mode = v as usize,
            _ => panic!("{key}"),
        }
    }
    Box::new(tpe)
}
