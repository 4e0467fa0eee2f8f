import Basics
import Configuration
import Datasets

/// The sources of a configuration.
extension Assembly {
  /// - Throws: when `names` of a source is of a variable that the configuration doesn't read.
  static func requireNames(_ data: DataSection) throws {
    let asked = data.variables + data.staticFields + data.readForcings
    if asked.isEmpty { return }
    for (index, source) in descriptions(data).enumerated() {
      try source.requireNames(among: asked, key: "data.sources[\(index)]")
    }
  }

  /// The sources of a configuration.
  static func open(_ data: DataSection, threads: Int) throws -> OpenedSources {
    try OpenedSources(
      descriptions(data), rows: data.rows, boundary: data.boundary,
      wanted: Set(data.variables + data.staticFields + data.readForcings), threads: threads)
  }

  static func descriptions(_ data: DataSection) -> [SourceDescription] {
    data.sources.map { SourceDescription(path: $0.path ?? "", open: $0.open, names: $0.names) }
  }

  /// The dataset with the read forcings behind the predicted fields, as statistics are made of.
  static func withForcings(_ data: DataSection, _ dataset: FieldDataset, threads: Int) throws -> FieldDataset {
    if data.readForcings.isEmpty { return dataset }
    var all = data
    all.variables += data.readForcings
    all.forcings = []
    all.staticFields = []
    all.impute = data.impute.filter { all.variables.contains($0.key) }
    return try self.dataset(all, cacheBytes: 0, threads: threads, isWhole: false)
  }
}
