import Basics
import Checkpoints
import Configuration
import Datasets
import Training

/// Data for a model that has been trained.
extension Assembly {
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
    try requireNames(data)
    let data = inputs(of: manifest, data)
    let dataset = try dataset(data, cacheBytes: cacheBytes, threads: threads, opened: opened, isWhole: false)
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
      let (expected, found) = manifest.grid.summaries(against: dataset.grid)
      throw JigsawError(
        descriptions(data).map(\.display).joined(separator: ", "), "is on another grid than the checkpoint's model",
        expected: expected, found: found, remedy: "regrid the data")
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
    for entry in entries { try requireUnits(entry.units, of: entry.channel, dataset) }
    let (own, wanted) = (dataset.imputationSignatures ?? [:], manifest.imputed ?? [:])
    for name in entries.map(\.channel.name) where own[name] != wanted[name] {
      throw JigsawError(
        "data.impute: \(name)", "is imputed otherwise than when the checkpoint's model was trained",
        expected: wanted[name] ?? "not imputed", found: own[name] ?? "not imputed",
        remedy: "use the data.impute of the training, and data that lack values at the same points")
    }
  }

  /// - Throws: where a variable that the lexicon lacks, which is not converted, has other units than in training.
  private static func requireUnits(_ trained: String, of channel: Channel, _ dataset: FieldDataset) throws {
    guard Lexicon[channel.variable] == nil else { return }
    let found = dataset.units(of: channel)
    if found == trained || UnitConversion(from: found, to: trained) == UnitConversion.none { return }
    throw JigsawError(
      "\(dataset.origin): \(channel.name)", "has other units than when the checkpoint's model was trained",
      expected: "'\(trained)'", found: "'\(found)'", remedy: "convert it before")
  }

  /// Compares static fields with those of the training.
  /// - Returns: how they differ, a sentence for each; one for a checkpoint that has no record of them.
  /// - Throws: where a static field has other units, or is another field.
  static func staticNotes(_ manifest: CheckpointManifest, _ dataset: FieldDataset) throws -> [String] {
    guard let trained = manifest.staticSignatures else {
      let names = manifest.staticFields.joined(separator: ", ")
      return names.isEmpty ? [] : ["the checkpoint has no record of \(names): they are taken as these data have them"]
    }
    return try zip(dataset.staticSignatures(), trained).compactMap { now, trained in
      try requireUnits(trained.units, of: Channel(variable: now.name), dataset)
      func by(_ largest: Float) -> String { "by up to \(significant(Double(largest))) \(trained.units)" }
      switch now.difference(from: trained) {
      case nil: return nil
      case .note(let largest):
        return
          "the static field \(now.name) is not quite that of the training: means over some points differ \(by(largest))"
      case .another(let largest):
        throw JigsawError(
          "\(dataset.origin): \(now.name)", "is another static field than the one that the model was trained with",
          expected: "the same field, but for packing and interpolation",
          found: "means over some points differ \(by(largest))",
          remedy: "use the field of the training, or train further with the new one (training.initialWeights)")
      }
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
