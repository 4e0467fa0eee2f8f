import Basics
import Geometry

/// Names of the dataset, the nodes and the mappers of a model of anemoi-models, which its users choose, and those that they have here: `data`,
/// `data` and `hidden`, `0`.
public struct AnemoiNames: Sendable {
  public let dataset, dataNodes, hiddenNodes: String
  /// Beginnings of names of tensors, whole words that end in a dot.
  private let prefixes: [(own: String, stored: String)]

  /// A name stays where there is not exactly one dataset, node set or mapper of its kind.
  ///
  /// - Parameters:
  ///   - tensors: names in the state dict.
  ///   - configuration: of the training, as resolved.
  public init(tensors: some Collection<String>, configuration: JSONValue) {
    let attributes = "model.node_attributes."
    func only(_ prefix: String, before suffix: String, except other: String? = nil) -> String? {
      let names = Set(
        tensors.compactMap { name -> String? in
          guard name.hasPrefix(prefix) else { return nil }
          let rest = "\(name.dropFirst(prefix.count))."
          return rest.firstRange(of: suffix).map { String(rest[..<$0.lowerBound]) }
        }
      ).subtracting([other].compactMap(\.self))
      return names.count == 1 ? names.first : nil
    }
    let dataset = only("pre_processors.", before: ".processors.") ?? "data"
    let hidden =
      configuration["model"]?["model"]?["hidden_nodes_name"]?.string ?? configuration["graph"]?["hidden"]?.string
      ?? "hidden"
    let nodes = only("\(attributes)latlons_", before: ".", except: hidden) ?? "data"
    let encoder = only("model.encoder.", before: ".") ?? "0"
    let decoder = only("model.decoder.", before: ".") ?? "0"
    (self.dataset, dataNodes, hiddenNodes) = (dataset, nodes, hidden)
    let datasets = [
      "model.encoder_graph_provider.", "model.decoder_graph_provider.", "model.boundings.", "pre_processors.",
      "post_processors.", "pre_processors_tendencies.", "post_processors_tendencies.",
    ]
    prefixes =
      [("model.encoder.0.", "model.encoder.\(encoder)."), ("model.decoder.0.", "model.decoder.\(decoder).")]
      + datasets.map { ("\($0)data.", "\($0)\(dataset).") }
      + ["latlons_", "trainable_tensors."].flatMap {
        [
          ("\(attributes)\($0)data.", "\(attributes)\($0)\(nodes)."),
          ("\(attributes)\($0)hidden.", "\(attributes)\($0)\(hidden)."),
        ]
      }
  }

  /// The model's name of a tensor.
  public func stored(_ own: String) -> String {
    prefixes.lazy.compactMap { AnemoiNames.changed(own, from: $0.own, to: $0.stored) }.first ?? own
  }

  /// Our name of a tensor.
  public func own(_ stored: String) -> String {
    prefixes.lazy.compactMap { AnemoiNames.changed(stored, from: $0.stored, to: $0.own) }.first ?? stored
  }

  private static func changed(_ name: String, from prefix: String, to other: String) -> String? {
    let whole = "\(name)."
    return whole.hasPrefix(prefix) ? String("\(other)\(whole.dropFirst(prefix.count))".dropLast()) : nil
  }

  private func ownNodes(_ name: String) -> String {
    name == dataNodes ? "data" : name == hiddenNodes ? "hidden" : name
  }

  /// A graph by our names of nodes.
  func own(_ graph: HeteroGraph) -> HeteroGraph {
    HeteroGraph(
      spaces: Dictionary(graph.spaces.map { (ownNodes($0.key), $0.value) }) { first, _ in first },
      edges: graph.edges.map {
        var set = HeteroGraph.EdgeSet(
          source: ownNodes($0.source), destination: ownNodes($0.destination), sources: $0.sources,
          destinations: $0.destinations)
        set.attributes = $0.attributes
        return set
      })
  }

  /// The `model` of a configuration by our names of nodes: nodes that it doesn't name have no trainable numbers.
  public func own(model: JSONValue) -> JSONValue {
    let key = "node_trainable_parameters"
    guard var members = model.object, let sizes = members[key]?.object else { return model }
    members[key] = .object(["data": sizes[dataNodes] ?? .integer(0), "hidden": sizes[hiddenNodes] ?? .integer(0)])
    return .object(members)
  }
}
