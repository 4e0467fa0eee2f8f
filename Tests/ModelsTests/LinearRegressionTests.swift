import Execution
import Models
import OperationChecks
import Settings
import Tensors
import Testing

/// The smallest model family, by its closed form.
@Suite struct LinearRegressionTests {
  private static let fields = ModelFields(
    gridRows: 2, gridColumns: 4, variables: 2, auxiliaries: 1, tendencyScale: [0.5, 2])

  private static func settings(_ patch: String) throws -> LinearRegressionSettings {
    try LinearRegressionSettings(parsing: ["patch: \(patch)"])
  }

  /// One step by hand: x + f ⊙ (W·[x, a] + b), per patch.
  @Test func predictsAsTheFormulaSays() throws {
    let model = try Self.settings("[1, 2]").makeModel(Self.fields)
    let parameters = ParameterStore(model.parameters)
    let (weight, bias) = (GradientCheck.tensor([4, 6], "weight"), GradientCheck.tensor([4], "bias"))
    for (spec, tensor) in parameters.named(in: parameters.values) {
      tensor.copy(from: spec.shape.count == 2 ? weight : bias)
    }
    let operations = LocalOperations(compute: Compute(threads: 1), parameters: parameters)
    let (state, auxiliary) = (GradientCheck.tensor([4, 3, 4], "state"), GradientCheck.tensor([4, 3, 2], "auxiliary"))
    let next = try model.step(ModelInput(state: Value(state), auxiliary: Value(auxiliary)), operations).tensor.values
    let (w, b, x, a) = (weight.values, bias.values, state.values, auxiliary.values)
    for row in 0..<12 {
      for column in 0..<4 {
        var change = Double(b[column])
        for i in 0..<4 { change += Double(w[column * 6 + i]) * Double(x[row * 4 + i]) }
        for i in 0..<2 { change += Double(w[column * 6 + 4 + i]) * Double(a[row * 2 + i]) }
        // Columns are point, field.
        let expected = Double(x[row * 4 + column]) + [0.5, 2][column % 2] * change
        #expect(abs(Double(next[row * 4 + column]) - expected) < 1e-5)
      }
    }
  }

  @Test func startsAsPersistence() throws {
    let model = try Self.settings("[2, 4]").makeModel(Self.fields)
    let parameters = ParameterStore(model.parameters)
    parameters.initialize(seed: 1)
    let state = GradientCheck.tensor([1, 2, 16], "state")
    let next = try model.step(
      ModelInput(state: Value(state), auxiliary: Value(GradientCheck.tensor([1, 2, 8], "auxiliary"))),
      LocalOperations(compute: Compute(threads: 1), parameters: parameters))
    #expect(next.tensor.values == state.values)
  }

  /// A small model of a family.
  static func model(_ family: any ModelSettings.Type) throws -> any ForecastModel {
    if family is any AnemoiModelSettings.Type {
      let settings = try GraphSettingsTests.settings(family.family)
      return try settings.makeModel(GraphSettingsTests.fields(settings))
    }
    return try family.init().makeModel(
      ModelFields(gridRows: 8, gridColumns: 16, variables: 3, auxiliaries: 2, tendencyScale: [1, 1, 1]))
  }

  /// Both core operations count, and nothing is counted as a phase that the model doesn't name.
  @Test func itsPhasesAreThoseOfItsOperations() throws {
    for family in ModelFamilies.all {
      let model = try Self.model(family)
      let counting = CountingOperations(model.parameters)
      try model.dryStep(counting)
      #expect(Set(counting.forward.keys) == Set(model.phases), "\(family.family)")
    }
  }

  @Test func aPatchThatDoesNotDivideTheGridIsRefused() throws {
    let settings = try Self.settings("[1, 3]")
    #expect(throws: (any Error).self) { try settings.makeModel(Self.fields) }
    do { _ = try settings.tiling(Self.fields) } catch {
      #expect(
        "\(error)"
          == "model.patch: doesn't divide the grid; expected a patch that divides 2 × 4, found 1 × 3; choose rows among 1, 2 "
          + "and columns among 1, 2, 4.")
    }
  }
}
