import Basics
import Execution
import Geometry
import OperationChecks
import Settings
import Tensors
import Testing

@testable import Models

/// Settings of graph models, and forecasts by them.
@Suite struct GraphSettingsTests {
  /// Fields of 4 × 8 points: three predicted ones, of which one is not read, at two times.
  static func fields(_ settings: any ModelSettings) throws -> ModelFields {
    let latitudes = (0..<4).flatMap { row in [Double](repeating: 67.5 - 45 * Double(row), count: 8) }
    let longitudes = (0..<4).flatMap { _ in (0..<8).map { 45 * Double($0) } }
    var fields = ModelFields(
      gridRows: 4, gridColumns: 8, variables: 3, auxiliaries: 2, tendencyScale: [1, 1, 1],
      points: GridPoints(latitudes: latitudes, longitudes: longitudes))
    fields.inputSteps = [-1, 0]
    fields.diagnostics = [1]
    fields.scaling = [("z_500", 5_000, 100), ("tp", 1, 2), ("t2m", 280, 10)].map {
      FieldScaling(name: $0.0, offset: $0.1, scale: $0.2)
    }
    if case .recipe(let recipe)? = try settings.graphSource(fields) {
      fields.graph = try GraphBuilder.build(recipe, team: ThreadTeam(count: 1))
    }
    return fields
  }

  static let small = [
    "channels: 8", "trainableData: 2", "trainableHidden: 2", "graph: {level: 1, encoderCutOff: 1.2}",
  ]

  static func settings(_ family: String, _ more: [String] = []) throws -> any ModelSettings {
    let heads = family == "gnn" ? "" : "heads: 2, "
    let layers = "{\(heads)mlpRatio: 2}"
    let usual = small + ["encoder: \(layers)", "decoder: \(layers)", "processor: {\(heads)layers: 2, mlpRatio: 2}"]
    func key(_ line: String) -> Substring { line.prefix { $0 != ":" } }
    let lines = usual.filter { line in !more.contains { key($0) == key(line) } } + more
    return try #require(ModelFamilies.named(family)).init(parsing: lines)
  }

  @Test func settingsOfOtherFamiliesAreUnknown() throws {
    #expect(throws: JigsawError.self) { try GNNSettings(parsing: ["processor: {heads: 4}"]) }
    #expect(throws: JigsawError.self) { try GraphTransformerSettings(parsing: ["processor: {window: 4}"]) }
    #expect(throws: JigsawError.self) { try TransformerSettings(parsing: ["processor: {trainableEdges: 4}"]) }
    #expect(throws: JigsawError.self) { try TransformerSettings(parsing: ["graph: {levle: 4}"]) }
    #expect(try TransformerSettings(parsing: ["processor: {window: null}"]).processor.window == nil)
    #expect(GNNSettings().channels == 512 && GNNSettings().encoder.mlpRatio == 1)
  }

  /// Written settings can be read again, nested groups and lists of groups included.
  @Test(arguments: ["graph-transformer", "gnn", "transformer"]) func settingsGoToLinesAndBack(family: String) throws {
    let settings = try Self.settings(
      family, ["bounds: [{kind: clamp, variables: [tp], least: 0, most: 3}, {variables: [t2m], least: 200}]"])
    #expect(settings.impossibleKey == nil)
    #expect(settings.isEqual(to: try type(of: settings).init(parsing: sectionLines(settings, comments: true))))
    #expect(settings.text.contains("bounds[1].least 200"))
  }

  @Test func impossibleValuesAreFound() throws {
    var settings = TransformerSettings()
    settings.processor.heads = -1
    #expect(settings.impossibleKey == "processor")
  }

  /// One step is the graph model's on fields put side by side by hand: prognostic ones of both times, each with what is known.
  @Test(arguments: ["graph-transformer", "gnn", "transformer"], [true, false])
  func aStepIsTheGraphModelsStep(family: String, isReordered: Bool) throws {
    let orders = isReordered ? ["inputOrder: [2, 1, 3, 0]", "outputOrder: [1, 2, 0]"] : []
    let settings = try Self.settings(family, orders)
    let fields = try Self.fields(settings)
    let model = try #require(try settings.makeModel(fields) as? GraphForecastModel)
    let parameters = ParameterStore(model.parameters)
    parameters.initialize(seed: 4)
    let operations = LocalOperations(compute: Compute(threads: 1), parameters: parameters)
    let states = (0..<2).map { GradientCheck.tensor([32, 2, 3], "state \($0)") }
    let known = (0..<2).map { GradientCheck.tensor([32, 2, 2], "known \($0)") }
    let y = try model.step(
      ModelInput(states: states.map { Value($0) }, auxiliaries: known.map { Value($0) }), application: 0,
      isTraining: false, operations
    ).tensor

    let x = Tensor(zeros: [32, 2, 8])
    for row in 0..<64 {
      for time in 0..<2 {
        let inputs = [
          states[time].pointer[3 * row], states[time].pointer[3 * row + 2], known[time].pointer[2 * row],
          known[time].pointer[2 * row + 1],
        ]
        for column in 0..<4 {
          x.pointer[8 * row + 4 * time + column] = inputs[isReordered ? [2, 1, 3, 0][column] : column]
        }
      }
    }
    let expected = try model.model.step(Value(x), operations).tensor
    for row in 0..<64 {
      for field in 0..<3 {
        let column = isReordered ? [2, 0, 1][field] : field
        #expect(y.pointer[3 * row + field] == expected.pointer[3 * row + column])
      }
    }
    // Not what the last state was: that was added to prognostic fields alone.
    #expect(Set(model.model.description.variables.prognosticOutputs) == (isReordered ? [1, 2] : [0, 2]))
  }

  /// With respect to the states of both times, as a rollout needs them.
  @Test(arguments: ["graph-transformer", "gnn", "transformer"]) func gradientsAreThoseOfDifferences(family: String)
    throws
  {
    let settings = try Self.settings(family, ["inputOrder: [2, 1, 3, 0]", "outputOrder: [1, 2, 0]"])
    let model = try settings.makeModel(Self.fields(settings))
    let parameters = ParameterStore(model.parameters)
    parameters.initialize(seed: 4)
    let operations = LocalOperations(compute: Compute(threads: 1), parameters: parameters)
    let known = (0..<2).map { GradientCheck.tensor([32, 2, 2], "known \($0)") }
    let weights = GradientCheck.tensor([32, 2, 3], "loss")
    func add(_ x: Tensor, _ factor: Float, to y: Tensor) {
      for i in 0..<x.count { y.pointer[i] += factor * x.pointer[i] }
    }
    func step(_ states: [Value]) throws -> Value {
      try model.step(
        ModelInput(states: states, auxiliaries: known.map { Value($0) }), application: 0, isTraining: true, operations)
    }
    for time in 0..<2 {
      let tape = Tape()
      operations.tape = tape
      let states = (0..<2).map {
        Value(GradientCheck.tensor([32, 2, 3], "state \($0)"), requiresGradient: true)
      }
      let y = try step(states)
      operations.tape = nil
      y.gradient = operations.compute.tensor([32, 2, 3])
      y.gradient?.copy(from: weights)
      try tape.backward()
      let gradient = states[time].takeGradient()
      let direction = GradientCheck.tensor([32, 2, 3], "direction")
      func loss(_ distance: Float) throws -> Double {
        let moved = states.map { Value($0.tensor) }
        add(direction, distance, to: moved[time].tensor)
        defer { add(direction, -distance, to: moved[time].tensor) }
        return zip(try step(moved).tensor.values, weights.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      let difference = (try loss(0.01) - loss(-0.01)) / 0.02
      let backward = zip(gradient.values, direction.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      #expect(abs(difference - backward) < 2e-3 * abs(backward), "time \(time): \(difference), \(backward)")
    }
  }

  @Test func boundsAreInUnitsOfTheFields() throws {
    let bounds = "bounds: [{variables: [tp], least: 0}, {kind: clamp, variables: [t2m], least: 180, most: 330}]"
    let settings = try #require(try Self.settings("gnn", [bounds, "outputOrder: [1, 2, 0]"]) as? GNNSettings)
    let fields = try Self.fields(settings)
    let found = try settings.description(fields).boundings
    #expect(
      found == [
        .init([0], .floor(least: [-0.5], slope: 0)), .init([1], .clamp(least: -10, most: 5, slope: 0)),
      ])
    let unknown = try Self.settings("gnn", ["bounds: [{variables: [cp]}]"])
    let error = #expect(throws: JigsawError.self) { try unknown.makeModel(Self.fields(unknown)) }
    #expect(error?.description.contains("z_500, tp, t2m") == true)
  }

  /// Settings and graphs of which no model can be made.
  @Test func modelsThatCanNotBeAreRefused() throws {
    func problem(_ family: String, _ more: [String], _ change: (inout ModelFields) -> Void = { _ in }) throws -> String
    {
      let settings = try Self.settings(family, more)
      var fields = try Self.fields(settings)
      change(&fields)
      return #expect(throws: JigsawError.self) { try settings.makeModel(fields) }?.description ?? ""
    }
    for family in ["graph-transformer", "gnn"] {
      let found = try problem(family, []) { fields in
        fields.graph?.edges.removeAll { $0.source == "hidden" && $0.destination == "hidden" }
      }
      #expect(found.contains("model.graph: has no edges between hidden nodes"), "\(found)")
    }
    let narrow = try problem("transformer", ["processor: {heads: 2, layers: 2, mlpRatio: 0.01}"])
    #expect(narrow.contains("model.processor.mlpRatio: leaves hidden layers without channels"), "\(narrow)")
    let itself = try problem(
      "gnn", ["bounds: [{kind: fraction, variables: [z_500, tp], least: 0, most: 1, of: tp}]"])
    #expect(itself.contains("model.bounds[0].of: is limited as a fraction of itself"), "\(itself)")
    let bare = try problem("gnn", ["encoder: {mlpRatio: 2, trainableEdges: 0}"]) { fields in
      for index in fields.graph?.edges.indices ?? 0..<0 { fields.graph?.edges[index].attributes = [] }
    }
    #expect(bare.contains("model.encoder.trainableEdges: is 0"), "\(bare)")
  }

  /// Points on the edges of an area lie in it, whatever their places are rounded to.
  @Test(arguments: [([60.0, -20, 30, 40], 28), ([90, -180, 60, 180], 144), ([-60, 350, -90, 370], 12)])
  func areasHaveTheirEdges(area: [Double], count: Int) throws {
    let places = (0..<19).flatMap { row in (0..<36).map { (90 - 10 * Float(row), 10 * Float($0)) } }
    let points = PointSpace(
      latitudes: places.map { $0.0 * .pi / 180 }, longitudes: places.map { $0.1 * .pi / 180 })
    var section = GraphSection()
    (section.nodes, section.area) = (.limitedArea, area)
    guard case .recipe(let recipe) = try section.source(points, hasProcessorEdges: true),
      case .given(let data) = recipe.nodes[0].points
    else { preconditionFailure("a graph without the points of the data") }
    #expect(data.masks["area_mask"]?.count { $0 } == count)
  }

  @Test func theCoarsestIcosphereHasEdges() throws {
    let settings = try Self.settings("gnn", ["graph: {level: 0, encoderCutOff: 1.2}"])
    let model = try settings.makeModel(Self.fields(settings))
    #expect(model.summary.contains("12 hidden nodes"))
  }

  /// A computation as settings, and these as a computation.
  @Test(arguments: ["graph-transformer", "gnn", "transformer"]) func aDescriptionGoesToSettingsAndBack(family: String)
    throws
  {
    func check<F: GraphFamily>(_ settings: GraphSettings<F>) throws {
      let fields = try Self.fields(settings)
      let description = try settings.description(fields)
      let orders = ImportedOrders(inputs: [2, 1, 3, 0], outputs: [1, 2, 0], graphFile: "graph.safetensors")
      let again = try #require(try description.settings(fields, orders, place: "test") as? GraphSettings<F>)
      #expect(again.bounds == settings.bounds && again.graph.file == "graph.safetensors")
      var other = description
      other.outputSteps = 2
      let error = #expect(throws: JigsawError.self) { try other.settings(fields, orders, place: "test") }
      #expect(error?.description.contains("2 predicted states") == true)
    }
    let more = [
      "inputOrder: [2, 1, 3, 0]", "outputOrder: [1, 2, 0]", "bounds: [{variables: [tp], least: 3}]",
      "decoderStartsAtZero: true",
    ]
    switch try Self.settings(family, more) {
    case let settings as GraphTransformerSettings: try check(settings)
    case let settings as GNNSettings: try check(settings)
    case let settings as TransformerSettings: try check(settings)
    default: Issue.record("no graph model")
    }
  }

  @Test func graphsOfOtherPointsAreRefused() throws {
    let settings = try Self.settings("graph-transformer")
    var fields = try Self.fields(settings)
    fields.points = fields.points.map { GridPoints(latitudes: $0.latitudes.reversed(), longitudes: $0.longitudes) }
    let error = #expect(throws: JigsawError.self) { try settings.makeModel(fields) }
    #expect(error?.description.contains("is of other points than the data") == true)
    fields.graph = nil
    #expect(throws: JigsawError.self) { try settings.makeModel(fields) }
  }

  @Test func anOrderMustNameEachFieldOnce() throws {
    let settings = try Self.settings("gnn", ["inputOrder: [0, 1, 1, 2]"])
    let error = #expect(throws: JigsawError.self) { try settings.makeModel(Self.fields(settings)) }
    #expect(error?.description.contains("model.inputOrder") == true)
  }
}
