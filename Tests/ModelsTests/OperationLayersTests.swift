import Execution
import Models
import Testing

/// Layouts are put in order by the GEMMs that operations name (`Operation.layers`): one that names none counts as free.
@Suite struct OperationLayersTests {
  /// Operations that have GEMMs and name no layers, with the reason.
  private static let withoutLayers = [
    "Blend": "two outputs per variable: memory is all that it takes",
    "WindowAttention": "no weights: its tiles are as many on every mesh of so many ranks",
  ]

  private final class Lister: Operations {
    var tape: Tape?
    private(set) var found: Set<String> = []
    private let table: ParameterTable

    init(_ table: ParameterTable) { self.table = table }

    func apply(_ operation: some Operation) -> Value {
      let cost = operation.cost(table)
      if cost.forward.flops + cost.backward.flops > 0 && operation.layers(table).isEmpty {
        found.insert("\(type(of: operation))")
      }
      return operation.dryResult(table)
    }
  }

  @Test func operationsWithProductsNameTheirLayers() throws {
    var found: Set<String> = []
    for family in ModelFamilies.all {
      let model = try LinearRegressionTests.model(family)
      let lister = Lister(model.parameters)
      try model.dryStep(lister, isTraining: true)
      found.formUnion(lister.found)
    }
    found.subtract(Self.withoutLayers.keys)
    #expect(found == [], "an operation with GEMMs says which (`layers`), or why not in the list above")
  }
}
