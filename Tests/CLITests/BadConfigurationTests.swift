import Basics
import TestSupport
import Testing

@Suite struct BadConfigurationTests {
  static let train = ["train", "config.yaml"]
  private static let plan = ["plan", "config.yaml", "--grid", "8x16", "--variables", "3"]

  /// Refused because of one setting, before anything is written.
  private static func set(_ setting: String, _ expected: [String]) -> BadInput {
    BadInput(setting, train + ["--set", setting], expected: expected, absent: ["run"])
  }

  static let cases: [BadInput] = [
    BadInput(
      "no configuration", ["train", "none.yaml"], expected: ["none.yaml: no such file", "jigsaw init none.yaml"]),
    set("data.impute={msl: -1e30}", ["data.impute.msl: is a number that marks missing values", "found -1e+30"]),
    BadInput(
      "grid without variables", ["bench", "step", "config.yaml", "--grid", "8x16"],
      expected: ["--grid and --variables go together"], status: 64),
    BadInput(
      "no grid", ["bench", "step", "config.yaml", "--grid", "8by16", "--variables", "3"], expected: ["8by16"],
      status: 64),
    BadInput(
      "a patch that doesn't divide the grid to measure",
      ["bench", "step", "config.yaml", "--grid", "9x16", "--variables", "3"],
      expected: ["model.patch: doesn't divide the grid", "rows among 1, 3, 9"]),
    BadInput(
      "a machine that nobody knows", plan + ["--machine", "horeka"],
      expected: ["--machine horeka: is neither a file nor a machine of the catalogue", "horeka-a100-40"]),
    BadInput(
      "a machine without such products", plan + ["--machine", "mi250x", "--precision", "tf32"],
      expected: ["mi250x: has no rates of tf32 products; found bf16, fp32"]),
    BadInput(
      "a configuration in the machine's place", plan + ["--machine", "config.yaml"],
      expected: ["config.yaml: is not a JSON document"]),
    BadInput(
      "a mesh of two numbers", plan + ["--machine", "h100", "--mesh", "2x2"], expected: ["2x2"], status: 64),
    BadInput(
      "a mesh and ranks", plan + ["--machine", "h100", "--mesh", "2x2x1", "--ranks", "8"],
      expected: ["--mesh says how many ranks there are"], status: 64),
    BadInput(
      "a mesh of more ranks than fields", plan + ["--machine", "h100", "--mesh", "1x1x4"],
      expected: ["expected a mesh for 4 ranks, 16 tokens and 3 fields"]),
    BadInput(
      "a sweep that goes down", plan + ["--machine", "h100", "--sweep", "ranks=8..2", "--output", "sweep"],
      expected: ["ranks=8..2"], status: 64, absent: ["sweep"]),
    BadInput(
      "a sweep without a folder", plan + ["--machine", "h100", "--sweep", "ranks=1..2"],
      expected: ["--sweep and --output go together"], status: 64),
    BadInput("no such machine", ["machines", "cray-1"], expected: ["--machine cray-1", "sapphire-rapids"]),
    BadInput(
      "links without a machine", ["bench", "machine", "--ranks", "2", "--output", "machine.json"],
      expected: ["machine.json: is not there yet", "on one rank first"], absent: ["machine.json"]),
    BadInput(
      "another file in the machine's place", ["bench", "machine", "--ranks", "2", "--output", "config.yaml"],
      expected: ["config.yaml: is not a description of a machine"], present: ["config.yaml"]),
    BadInput(
      "unknown setting", train,
      expected: ["config.yaml:2: sede: unknown setting; expected one of run, seed", "did you mean 'seed'?"],
      absent: ["run"]
    ) {
      try $0.edit("config.yaml", "seed: 1", "sede: 1")
    },
    BadInput(
      "unknown nested setting", train,
      expected: ["config.yaml:19: training.validation.sample: unknown setting", "did you mean 'samples'?"],
      absent: ["run"]
    ) {
      try $0.edit("config.yaml", "{samples: 2}", "{sample: 2}")
    },
    BadInput(
      "wrong type", train,
      expected: ["config.yaml:16: training.updates: has a value that doesn't fit", "found 'four'"], absent: ["run"]
    ) {
      try $0.edit("config.yaml", "updates: 4", "updates: four")
    },
    BadInput(
      "out of range", train, expected: ["config.yaml:17: training.batchSize:", "between 1 and 100000", "found '0'"],
      absent: ["run"]
    ) {
      try $0.edit("config.yaml", "batchSize: 2\n  average", "batchSize: 0\n  average")
    },
    BadInput(
      "no YAML", train, expected: ["config.yaml:7: is not YAML (", "look at quotes, colons, brackets"], absent: ["run"]
    ) {
      try $0.edit("config.yaml", "[z, t, msl]", "[z, t, msl")
    },
    BadInput("a setting twice", train, expected: ["gives the setting 'seed' twice"], absent: ["run"]) {
      try $0.edit("config.yaml", "seed: 1", "seed: 1\nseed: 2")
    },
    BadInput("not text", train, expected: ["config.yaml: is not a text file in UTF-8"], absent: ["run"]) {
      try Files.writeAtomically([0x72, 0xFF, 0xFE], to: "\($0.path)/config.yaml")
    },
    set(
      "model.patch=[3, 4]",
      [
        "model.patch: doesn't divide the grid; expected a patch that divides 8 × 16, found 3 × 4",
        "rows among 1, 2, 4, 8",
      ]),
    set(
      "data.train={start: 2001-01-09, end: 2001-01-02}",
      ["data.train: ends before it starts; found 2001-01-09 00:00 … 2001-01-02 00:00"]),
    set("data.train.end=null", ["data.train: needs a start and an end", "set data.train.start and data.train.end"]),
    set(
      "data.validation={start: 2010-01-01, end: 2010-02-01}",
      ["data.validation: holds no sample", "choose a period within the data"]),
    set(
      "data.stepHours=7",
      [
        "data.train: holds no sample of 1 steps of 7 h",
        "the first two 6 h apart; set data.stepHours to a multiple of that",
      ]),
    set(
      "training.updates=null",
      ["training: needs a length; expected either training.updates or training.epochs, found neither"]),
    set("training.epochs=2", ["training: needs a length", "found both"]),
    set("training={warmUpUpdates: 1, warmUpEpochs: 1}", ["training: has both warmUpUpdates and warmUpEpochs"]),
    set(
      "training.loss.variableWeights={mls: 2}",
      ["training.loss.variableWeights.mls: is not a predicted variable; expected one of msl, t, z; did you mean 'msl'?"]
    ),
    set(
      "training.loss.levelWeights={300: 2}",
      ["training.loss.levelWeights.300: is not a predicted level; expected one of 850, 500"]),
    set("training.loss.levelWeights={low: 2}", ["training.loss.levelWeights.low: is not a predicted level"]),
    set(
      "training.groupRates={head: 2}",
      ["training.groupRates.head: is not a group of parameters; expected encoder, processor, decoder"]),
    set("training.rollout.stages=[{steps: 900}]", ["data.train: holds no sample of 900 steps of 6 h"]),
    set("data.sources=[]", ["data.sources: is empty; name at least one file, store or recipe (path, open)"]),
    set("data.sources=[{names: {z: z}}]", ["data.sources[0].path: is empty"]),
    set("data.variables=[]", ["data.variables: is empty; name what to predict"]),
    set("data.variables=[z, t, z]", ["data.variables: names z twice"]),
    set("data.levels=[]", ["data.levels: is empty, but z is stored on levels; found 850, 500"]),
    set("data.rows=100", ["data.rows: is more than data.nc has; expected at most 8, found 100"]),
    set("data.statistics=nothing.json", ["nothing.json: can't open this file (No such file or directory)"]),
    set("data.statistics=config.yaml", ["config.yaml: is not a statistics file; compute it with 'jigsaw data stats'"]),
    set(
      "model={channels: 1000000, tokenWidth: 1000000, channelWidth: 1000000}",
      ["model: needs at least", "memory", "make it smaller"]),
    set(
      "run=data.nc/run",
      ["data.nc: is a file where a folder is needed; choose another place"]),
    set("seed", ["--set seed: is not understood; expected key=value, for example training.updates=100"]),
    set("trainig.updates=3", ["--set trainig: unknown setting", "did you mean 'training'?"]),
    set("data.levels=[500", ["--set data.levels=[500: has a value that is not YAML"]),
    BadInput(
      "usage", ["train"], expected: ["Missing expected argument '<config>'", "Usage: jigsaw train"], status: 64),
    BadInput(
      "unknown option", train + ["--upadtes", "3"], expected: ["Unknown option '--upadtes'"], status: 64,
      absent: ["run"]),
    BadInput(
      "nothing to stop after", train + ["--stop-after", "0"], expected: ["--stop-after must be at least 1"], status: 64,
      absent: ["run"]),
    BadInput("existing file", ["init", "config.yaml"], expected: ["config.yaml: already exists; name another file"]),
    BadInput(
      "unwritable file", ["init", "data.nc/new.yaml"],
      expected: ["data.nc/new.yaml", "can't open this file for writing (Not a directory)"]),
    BadInput(
      "validating what doesn't fit", ["config", "validate", "config.yaml", "--set", "model.patch=[5, 5]"],
      expected: ["model.patch: doesn't divide the grid"]),
    BadInput(
      "existing run", train,
      expected: ["run: already holds a trained run; resume it with 'jigsaw resume run'", "--overwrite"], needsRun: true),
    BadInput(
      "overwriting with what doesn't fit", train + ["--overwrite", "--set", "model.patch=[5, 5]"],
      expected: ["model.patch: doesn't divide the grid"], needsRun: true,
      present: ["run/checkpoints/best", "run/checkpoints/update-0000004", "run/train.log", "run/statistics.json"]),
    BadInput(
      "only the best of an earlier run", train, expected: ["run: already holds a trained run"], needsRun: true,
      present: ["run/checkpoints/best"]
    ) {
      for name in ["update-0000002", "update-0000004"] { try Files.remove("\($0.path)/run/checkpoints/\(name)") }
    },
    BadInput(
      "statistics that can't be used", train + ["--set", "data.statistics=stats.json", "--set", "run=new"],
      expected: ["stats.json: msl: can't be used to normalise; expected a stdev above 0"], needsRun: true,
      absent: ["new/checkpoints"]
    ) {
      let text = try Files.readText("\($0.path)/run/statistics.json")
      let damaged = text.replacing(/"deviation" : [0-9.e+-]+/, with: "\"deviation\" : 0")
      try Files.writeAtomically(damaged, to: "\($0.path)/stats.json")
    },
    BadInput(
      "statistics of other channels", train + ["--set", "data.statistics=run/statistics.json", "--set", "run=new"],
      expected: ["run/statistics.json: has no statistics for q_850; found msl, t_500, t_850, z_500, z_850"],
      needsRun: true, absent: ["new"]
    ) { w in
      try w.change("data.nc") {
        $0.arrays["q"] = $0.arrays["t"]; $0.arrays["q"]?.attributes["units"] = nil
      }
      try w.edit("config.yaml", "[z, t, msl]", "[q, z, t, msl]")
    },
  ]

  @Test(arguments: cases) func badConfigurationsEndInASentence(_ input: BadInput) throws { try input.check() }
}
