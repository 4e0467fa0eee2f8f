import Basics
import Configuration
import Datasets
import Training

/// Data for a model that has been trained.
extension Ingredients {
  /// The sources of a configuration with the variables that a checkpoint needs.
  static func inputs(of manifest: CheckpointManifest, _ data: DataSection) -> DataSection {
    var data = data
    data.variables = []
    data.levels = []
    for channel in manifest.channels {
      if !data.variables.contains(channel.variable) { data.variables.append(channel.variable) }
      if let level = channel.levelHPa, !data.levels.contains(level) { data.levels.append(level) }
    }
    data.staticFields = manifest.staticFields
    data.forcings = manifest.forcings.map(\.rawValue)
    for entry in manifest.readForcings ?? [] {
      if !data.forcings.contains(entry.variable) { data.forcings.append(entry.variable) }
      if let level = entry.levelHPa, !data.levels.contains(level) { data.levels.append(level) }
    }
    let named = data.variables + data.staticFields + data.readForcings
    data.impute = data.impute.filter { named.contains($0.key) }
    return data
  }

  /// The dataset a checkpoint needs, from the sources of a configuration: all its inputs or an error that names what is
  /// missing.
  static func dataset(
    for manifest: CheckpointManifest, _ data: DataSection, cacheBytes: Int, threads: Int, opened: OpenedSources? = nil
  ) throws -> FieldDataset {
    let data = inputs(of: manifest, data)
    let dataset = try dataset(data, cacheBytes: cacheBytes, threads: threads, opened: opened)
    let expected = manifest.channels.map(\.channel)
    guard dataset.channels == expected else {
      let missing = expected.filter { !dataset.channels.contains($0) }
      throw JigsawError(
        descriptions(data).map(\.display).joined(separator: ", "), "doesn't give the checkpoint's inputs",
        expected: expected.map(\.name).joined(separator: ", "),
        found: dataset.channels.map(\.name).joined(separator: ", "),
        remedy: missing.isEmpty
          ? "the order or levels differ" : "missing: \(missing.map(\.name).joined(separator: ", "))")
    }
    guard manifest.grid.matches(dataset.grid) else {
      throw JigsawError(
        descriptions(data).map(\.display).joined(separator: ", "), "is on another grid than the checkpoint's model",
        expected: manifest.grid.summary, found: CheckpointGrid(dataset.grid).summary, remedy: "regrid the data")
    }
    try requireSame(manifest.channels, manifest, dataset)
    if dataset.boundarySignature != manifest.boundary {
      throw JigsawError(
        "data.boundary", "has other points than when the checkpoint's model was trained",
        expected: manifest.boundary ?? "none", found: dataset.boundarySignature ?? "none",
        remedy: "use the data.boundary of the training, and a cutout of the same points")
    }
    return dataset
  }

  /// - Throws: where fields have other units, or are imputed otherwise, than when the checkpoint's model was trained.
  private static func requireSame(
    _ entries: [CheckpointManifest.ChannelEntry], _ manifest: CheckpointManifest, _ dataset: FieldDataset
  ) throws {
    // Units of variables that the lexicon lacks are not converted; version 0.1 did not record them.
    for entry in entries where Lexicon[entry.variable] == nil && entry.units != "1" {
      let found = dataset.units(of: entry.channel)
      if found == entry.units { continue }
      throw JigsawError(
        "\(dataset.origin): \(entry.channel.name)", "has other units than when the checkpoint's model was trained",
        expected: "'\(entry.units)'", found: "'\(found)'", remedy: "convert it before")
    }
    let (own, wanted) = (dataset.imputationSignatures ?? [:], manifest.imputed ?? [:])
    for name in entries.map(\.channel.name) where own[name] != wanted[name] {
      throw JigsawError(
        "data.impute: \(name)", "is imputed otherwise than when the checkpoint's model was trained",
        expected: wanted[name] ?? "not imputed", found: own[name] ?? "not imputed",
        remedy: "use the data.impute of the training, and data that lack values at the same points")
    }
  }

  /// How predicted fields and read forcings are imputed, by name.
  static func imputationSignatures(_ dataset: FieldDataset, _ forcings: FieldDataset?) -> [String: String]? {
    guard let ofForcings = forcings?.imputationSignatures else { return dataset.imputationSignatures }
    return ofForcings.merging(dataset.imputationSignatures ?? [:]) { $1 }
  }

  /// The forcings that a checkpoint reads and what they are normalised with; nil where it reads none.
  static func forcings(
    for manifest: CheckpointManifest, _ data: DataSection, cacheBytes: Int, threads: Int
  ) throws -> (dataset: FieldDataset, normalization: Normalization)? {
    guard let entries = manifest.readForcings, let normalization = try manifest.forcingNormalization else { return nil }
    let expected = entries.map(\.channel)
    guard let dataset = try forcings(inputs(of: manifest, data), cacheBytes: cacheBytes, threads: threads) else {
      throw JigsawError(
        "checkpoint", "reads forcings that are computed", found: expected.map(\.name).joined(separator: ", "),
        remedy: "the checkpoint is damaged; use another")
    }
    guard dataset.channels == expected, manifest.grid.matches(dataset.grid) else {
      throw JigsawError(
        descriptions(data).map(\.display).joined(separator: ", "),
        "doesn't give the forcings that the checkpoint reads",
        expected: "\(expected.map(\.name).joined(separator: ", ")) on \(manifest.grid.summary)",
        found: "\(dataset.channels.map(\.name).joined(separator: ", ")) on \(CheckpointGrid(dataset.grid).summary)")
    }
    try requireSame(entries, manifest, dataset)
    return (dataset, normalization)
  }
}
