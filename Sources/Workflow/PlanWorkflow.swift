import Basics
import Configuration
import Datasets
import Distribution
import Models
import Planning
import Tensors
import Training

/// `jigsaw plan`: memory, time and traffic of a training before it runs, on a machine that need not be available. Nothing is
/// trained and no field is read; the trainer's own steps are simulated.
public struct PlanWorkflow {
  public struct Request: Sendable {
    /// A name of the catalogue or a file.
    public var machine: String
    public var ranks = 1
    /// Only this mesh, with checkpointing and splitting as configured.
    public var mesh: (replica: Int, domain: Int, tensor: Int)?
    /// Machines like the measured one.
    public var nodes = 1
    /// The threads of each rank.
    public var threads: Int?
    /// The precision of GEMMs, in place of the configuration's: also "tf32".
    public var precision: String?
    /// Without data: the grid, and predicted fields.
    public var grid: NamedGrid?
    public var variables: Int?
    public var samplesPerEpoch: Int?
    /// Samples of an update over all replicas, to be kept.
    public var globalBatch: Int?
    /// Steps of rollout; else those of the first stage.
    public var rolloutSteps: Int?
    /// Whether samples have to be read.
    public var reads = true

    public init(machine: String) { self.machine = machine }
  }

  /// Says what a training of a model costs.
  public typealias MakePredictor = @Sendable (ModelDescription) throws -> any Predictor

  private let configuration: RunConfiguration
  private let request: Request
  private let console: Console
  private let makePredictor: MakePredictor

  /// - Parameter makePredictor: by default the trainer itself, simulated.
  public init(
    _ configuration: RunConfiguration, _ request: Request, console: Console = Console(),
    makePredictor: MakePredictor? = nil
  ) {
    self.configuration = configuration
    self.request = request
    self.console = console
    let rollout = configuration.training.rollout
    self.makePredictor =
      makePredictor ?? { try TrainingSimulator($0, rollout: rollout.kind, storedStates: rollout.storedStates) }
  }

  /// The training, as the configuration and its data say, on a machine.
  struct Problem {
    let description: ModelDescription
    /// Nil where none are available.
    let data: PlannedData?
    let model: any ForecastModel
    let samplesPerEpoch: Int?
    var search: LayoutSearch
    /// The choice that makes memory suffice, in words.
    let choice: String?

    var report: BenchStepReport.Model {
      BenchStepReport.Model(model, description)
    }
  }

  /// - Parameters:
  ///   - ranks: that the machine is to run.
  ///   - globalBatch: to be kept; nil: batch and accumulation of an instance are.
  func problem(_ sizes: Sizes, ranks: Int, globalBatch: Int?) throws -> Problem {
    let (training, parallel) = (configuration.training, configuration.parallel)
    let instance = parallel.domain * parallel.tensor
    let mesh = request.mesh.map { Mesh(replica: $0.replica, domain: $0.domain, tensor: $0.tensor) }
    let machine = try PlannedMachine.open(
      request.machine, precision: request.precision ?? configuration.precision.rawValue,
      threads: request.threads, configured: configuration.threads, ranks: ranks, nodes: request.nodes)
    let fit = try MemoryFit(
      sizes.description, configuration,
      mesh ?? Mesh(replica: max(1, ranks / instance), domain: parallel.domain, tensor: parallel.tensor),
      batch: training.batchSize, threads: machine.model.threads, machine: machine.model)
    let description = fit.description
    let model = try description.makeModel()
    var layout = Layout(mesh: Mesh())
    layout.batch = training.batchSize
    layout.accumulation = training.accumulation
    let first = training.rollout.stages.min { $0.fraction < $1.fraction }
    layout.rolloutSteps = request.rolloutSteps ?? first?.steps ?? 1
    layout.longestRollout = request.rolloutSteps ?? training.rollout.stages.map(\.steps).max() ?? 1
    layout.validates = configuration.data.validation.start != nil
    layout.prefetch = training.prefetch ?? layout.prefetch
    layout.averagesWeights = training.averageDecay > 0
    layout.overlaps = parallel.overlap
    layout.checkpointsActivations = fit.checkpointsActivations
    layout.splitsOptimizer = parallel.splitOptimizer
    if request.reads {
      layout.storedBytesPerFrame =
        description.fields.gridRows * description.fields.gridColumns * description.fields.variables
        * ElementType.float32.byteCount
    }
    layout.decodedBytes = sizes.states * layout.storedBytesPerFrame
    layout.surroundings = sizes.data?.surroundings(threads: machine.model.threads) ?? RunSurroundings()
    // A training takes a quarter of the memory where nothing is configured.
    layout.decodedBytesLimit =
      configuration.data.cacheGiB.map { Int(saturating: $0 * Double(1 << 30)) } ?? (machine.memoryBytes ?? 16 << 30) / 4
    var job = LayoutSearch.Job(model: model, layout: layout)
    job.globalBatch = globalBatch
    job.mostBytes = fit.mostBytes
    job.readsAhead = training.prefetch == nil
    if request.reads, let data = sizes.data, let samples = sizes.samplesPerEpoch {
      job.decodedBytes = { data.decodedBytes($0, samplesPerEpoch: samples) }
    }
    return Problem(
      description: description, data: sizes.data, model: model, samplesPerEpoch: sizes.samplesPerEpoch,
      search: LayoutSearch(job, on: machine, try makePredictor(description)), choice: fit.sentence)
  }

  /// The inputs of the answer beside the configuration.
  struct Sizes {
    let description: ModelDescription
    let samplesPerEpoch: Int?
    /// Times whose fields are read in an epoch, where no data say it.
    let states: Int
    /// Nil where none are available.
    let data: PlannedData?
  }

  /// The sizes of the data, or those given on the command line.
  func sizes() throws -> Sizes {
    let data = configuration.data
    if let grid = request.grid, let variables = request.variables {
      let description = try Assembly.description(
        configuration, grid: grid.fieldGrid, variables: variables,
        auxiliaries: data.staticFields.count + data.forcings.count,
        tendencyScale: [Float](repeating: 1, count: variables))
      return Sizes(
        description: try Assembly.withGraph(description), samplesPerEpoch: request.samplesPerEpoch,
        states: request.samplesPerEpoch ?? 0, data: nil)
    }
    let dataset = try Assembly.dataset(data, cacheBytes: 0)
    let forcings = try Assembly.forcings(data, cacheBytes: 0, threads: 1)
    let description = try Assembly.withGraph(
      Assembly.description(
        configuration, dataset, forcings: forcings, tendencyScale: [Float](repeating: 1, count: dataset.channels.count))
    )
    let planned = try PlannedData(configuration, dataset, forcings: forcings)
    if let asked = request.samplesPerEpoch {
      return Sizes(description: description, samplesPerEpoch: asked, states: asked, data: planned)
    }
    let (start, end) = try data.train.range("data.train")
    let steps = configuration.training.rollout.stages.map(\.steps).max() ?? 1
    let sampler = try Sampler(
      dataset, forcings: forcings, from: start, through: end, configuration.steps(last: steps),
      seed: UInt64(configuration.seed), isShuffled: true, place: "data.train")
    return Sizes(
      description: description, samplesPerEpoch: sampler.count, states: sampler.count, data: planned)
  }

  /// Samples per update of a sweep's first point: as given, or those of one instance.
  var samplesPerUpdate: Int {
    request.globalBatch ?? configuration.training.batchSize * configuration.training.accumulation
  }

  /// Calls `body` with a file of this machine's own rates: the stored ones, else some measured in a few seconds, which are not kept.
  public static func withMeasuredMachine<Result>(
    _ console: Console = Console(), stored: String? = MachineRates.standardPath, _ body: (String) throws -> Result
  ) throws -> Result {
    if let stored, Files.exists(stored) { return try body(stored) }
    console.say(
      "this machine has not been measured: taking some seconds for it ('jigsaw bench machine' does so well and keeps the "
        + "result)")
    let path = Temporary.name(for: stored ?? "machine.json")
    defer { try? Files.remove(path) }
    _ = try BenchMachine(output: path, isQuick: true, console: .silent).run()
    return try body(path)
  }

  /// A list, or the description of one.
  public static func machines(named name: String?) throws -> String {
    if let name { return try MachineCatalogue.named(name).json() }
    let rows = try MachineCatalogue.all().map { [$0.name, $0.summary] }
    let width = rows.map { $0[0].count }.max() ?? 0
    return rows.map { $0[0] + String(repeating: " ", count: width + 2 - $0[0].count) + $0[1] + "\n" }.joined()
  }

  // MARK: One number of ranks

  public func run() throws -> PlanReport {
    let mesh = request.mesh.map { Mesh(replica: $0.replica, domain: $0.domain, tensor: $0.tensor) }
    let ranks = mesh?.count ?? request.ranks
    let problem = try problem(sizes(), ranks: ranks, globalBatch: request.globalBatch)
    guard let mesh else { return try searched(problem, ranks) }
    _ = try Mesh(
      ranks: ranks, domain: mesh.domain, tensor: mesh.tensor, tokens: problem.model.form.tokens,
      fields: problem.model.form.variables)
    guard let layout = problem.search.layout(on: mesh) else {
      throw JigsawError(
        "--global-batch", "is not shared out evenly by \(mesh.replica) replicas", found: "\(request.globalBatch ?? 0)")
    }
    let candidate = try problem.search.predict(layout)
    guard problem.search.fits(candidate.prediction) else {
      throw try refusal(problem, candidate, ranks, "the mesh \(mesh)")
    }
    var outcome = LayoutSearch.Outcome()
    outcome.fitting = [candidate]
    (outcome.considered, outcome.simulated) = (1, 1)
    return try report(problem, outcome, ranks)
  }

  private func searched(_ problem: Problem, _ ranks: Int) throws -> PlanReport {
    console.update("simulating layouts of \(ranks) ranks")
    let outcome = try problem.search.best(ranks: ranks)
    guard !outcome.fitting.isEmpty else { throw try refusal(problem, outcome.tooLarge.first, ranks, nil) }
    return try report(problem, outcome, ranks)
  }

  /// How many runners-up are shown.
  private static let shown = 5

  private func report(_ problem: Problem, _ outcome: LayoutSearch.Outcome, _ ranks: Int) throws -> PlanReport {
    let layouts = outcome.fitting.prefix(1 + PlanWorkflow.shown).map {
      PlanReport.Layout($0, problem.search.machine, samplesPerEpoch: problem.samplesPerEpoch)
    }
    let others = try otherVerbs(problem, outcome.fitting[0].layout)
    return PlanReport(
      machine: PlanReport.Machine(problem.search.machine), ranks: ranks, model: problem.report,
      samplesPerEpoch: problem.samplesPerEpoch, best: layouts[0], forecastMemory: others.forecast,
      evaluationMemory: others.evaluation, runnersUp: Array(layouts.dropFirst()),
      reason: try ([problem.search.reason(outcome)] + [problem.choice].compactMap { $0 }).joined(separator: "\n"),
      considered: outcome.considered, simulated: outcome.simulated)
  }

  /// Memory of a forecast and of an evaluation on the ranks of a layout, as they are configured; nil without data to forecast from.
  private func otherVerbs(_ problem: Problem, _ layout: Layout) throws -> (
    forecast: PlanReport.Memory?, evaluation: PlanReport.Memory?
  ) {
    guard let data = problem.data, !data.initialTimes.isEmpty else { return (nil, nil) }
    let machine = problem.search.machine
    let forecast = try TrainingSimulator(problem.description).memory(
      of: data.forecast(layout.mesh, threads: machine.model.threads, cacheBytes: layout.decodedBytesLimit),
      on: machine.model)
    let evaluation = try data.evaluation(
      ranks: layout.mesh.count, machine: machine.model, cacheBytes: layout.decodedBytesLimit,
      climatologyBytes: (machine.memoryBytes ?? 16 << 30) / 4)
    return (
      PlanReport.Memory(forecast, available: machine.memoryBytes),
      evaluation.map { PlanReport.Memory($0, available: machine.memoryBytes) }
    )
  }

  /// The error for a layout that is impossible, with those that are possible.
  /// - Parameter mesh: that was asked for, in words.
  private func refusal(
    _ problem: Problem, _ candidate: LayoutSearch.Candidate?, _ ranks: Int, _ mesh: String?
  ) throws -> JigsawError {
    let search = problem.search
    if let memory = search.machine.memoryBytes, memory <= search.machine.model.programBytes {
      return JigsawError(
        "plan", "the program alone needs more memory than a rank of \(search.machine.name) has",
        expected: "programBytes below \(memory)", found: "\(search.machine.model.programBytes)",
        remedy: "correct memoryBytes or programBytes of the machine")
    }
    func gigabytes(_ bytes: Int) -> String { "\(fixed(Double(bytes) * 1e-9, 1)) GB" }
    var remedy = "make the model or the batch smaller"
    let here = mesh == nil ? nil : try search.best(ranks: ranks).fitting.first
    if let other = try here ?? search.smallestFitting(from: ranks) {
      let count = other.layout.mesh.count
      remedy =
        "\(count == ranks ? "on as many ranks" : "on \(count) ranks") \(other.name) fits, with "
        + gigabytes(other.prediction.memory.total)
    }
    let what = mesh ?? "every layout of \(ranks) \(ranks == 1 ? "rank" : "ranks")"
    return JigsawError(
      "plan", "\(what) needs more memory than a rank of \(search.machine.name) has",
      expected: search.machine.memoryBytes.map { "at most \(gigabytes($0))" },
      found: candidate.map { "\(gigabytes($0.prediction.memory.total)) with \($0.name)" }, remedy: remedy)
  }
}
