import Tensors

/// The sums in an edge network's first layer: x_e + a_i + b_j for each edge j → i, with x [edges, B, n],
/// a [destinations, B, n] and b [sources, B, n].
///
/// W·[a; b; x] = W_a·a + W_b·b + W_x·x, so that nodes go through the layer once and not once per edge. The sum is formed in x's
/// memory: for an x whose own backward does not need its data.
public struct EndpointSum: Operation {
  public let edges: EdgeLists
  public let x, destinations, sources: Value
  private let group: ParameterGroup

  public init(_ edges: EdgeLists, overwriting x: Value, destinations: Value, sources: Value, group: ParameterGroup) {
    precondition(x.shape.rows == edges.count && x.shape.columns == destinations.shape.columns)
    precondition(destinations.shape.rows == edges.destinationCount && sources.shape.rows == edges.sourceCount)
    precondition(destinations.shape.batch == x.shape.batch && sources.shape.batch == x.shape.batch)
    self.edges = edges
    self.x = x
    self.destinations = destinations
    self.sources = sources
    self.group = group
  }

  public var inputs: [Value] { [x, destinations, sources] }
  public func output(_ table: ParameterTable) -> OutputForm { OutputForm(x.shape) }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(group) }
  public func cost(_ table: ParameterTable) -> OperationCost {
    let nodes = destinations.shape.count + sources.shape.count
    return OperationCost(
      forward: Work(elements: 2 * x.shape.count + nodes), backward: Work(elements: 2 * x.shape.count + nodes))
  }

  public func run(on operations: LocalOperations) -> Value {
    let (compute, length) = (operations.compute, x.shape.batch * x.shape.columns)
    let y = x.tensor
    compute.addNodesToEdges(destinations.tensor, atSources: false, edges, length: length, to: y)
    compute.addNodesToEdges(sources.tensor, atSources: true, edges, length: length, to: y)
    let output = operations.result(y, x.shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [edges, x, destinations, sources] in
      let dy = slot.take()
      for (nodes, atSources) in [(destinations, false), (sources, true)] {
        let d = operations.newTensor(nodes.shape)
        compute.sumEdges(dy, atSources: atSources, edges, length: length, into: d)
        operations.contribute(d, to: nodes)
      }
      operations.contribute(dy, to: x)
    }
    return output
  }
}

/// The sum over the edges into each destination: [edges, B, n] → [destinations, B, n].
public struct IncomingSum: Operation {
  public let edges: EdgeLists
  public let x: Value
  private let group: ParameterGroup

  public init(_ edges: EdgeLists, _ x: Value, group: ParameterGroup) {
    precondition(x.shape.rows == edges.count)
    self.edges = edges
    self.x = x
    self.group = group
  }

  public var inputs: [Value] { [x] }
  public func output(_ table: ParameterTable) -> OutputForm {
    OutputForm(ValueShape(rows: edges.destinationCount, batch: x.shape.batch, columns: x.shape.columns))
  }
  public func phase(_ table: ParameterTable) -> StepPhase? { StepPhase(group) }
  public func cost(_ table: ParameterTable) -> OperationCost {
    let work = Work(elements: x.shape.count + output(table).shape.count)
    return OperationCost(forward: work, backward: work)
  }

  public func run(on operations: LocalOperations) -> Value {
    let (compute, length) = (operations.compute, x.shape.batch * x.shape.columns)
    let shape = output(operations.parameters.table).shape
    let y = operations.newTensor(shape)
    compute.sumEdges(x.tensor, atSources: false, edges, length: length, into: y)
    let output = operations.result(y, shape)
    guard let tape = operations.tape else { return output }
    let slot = output.slot
    tape.record { [edges, x] in
      let dy = slot.take()
      let target = operations.gradientTarget(x)
      if !target.accumulate { target.tensor.fill() }
      compute.addNodesToEdges(dy, atSources: false, edges, length: length, to: target.tensor)
    }
    return output
  }
}
