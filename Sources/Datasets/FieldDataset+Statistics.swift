import Basics

extension FieldDataset {
  /// Over which period a channel is an amount, a mean or an extreme, seconds; nil where its stores don't say.
  public func periodSeconds(of channel: Int) -> Int64? {
    parts.lazy.flatMap(\.fields).filter { $0.channel == channel }.compactMap { field in
      field.found.periodSeconds.first { $0 > 0 }
    }.first
  }

  /// Mean, deviation and extremes of every channel, and of its change over a step, as the stores say them.
  /// - Throws: when one of them says nothing.
  public func storedStatistics(stepHours: Int) throws -> DatasetStatistics {
    var channels: [String: ChannelStatistics] = [:]
    for part in parts {
      for field in part.fields {
        let name = self.channels[field.channel].name
        guard channels[name] == nil else { continue }
        guard let (values, change) = part.store.statistics(field, stepHours: stepHours) else {
          throw JigsawError(
            "\(part.store.location): \(name)", "brings no statistics",
            expected: "mean, stdev and statistics_tendencies_\(stepHours)h of an Anemoi dataset",
            remedy: "compute them with 'jigsaw data stats', or set data.statistics to null")
        }
        channels[name] = ChannelStatistics(
          mean: values.mean, deviation: values.deviation, minimum: values.minimum, maximum: values.maximum,
          tendencyMean: change.mean, tendencyDeviation: change.deviation)
        guard let row = channels[name], row.isUsable, row.tendencyDeviation > 0 else {
          throw JigsawError(
            "\(part.store.location): \(name)", "has statistics that can't be used to normalise",
            expected: "a stdev above 0, also of the change", remedy: "move it to data.static, or leave it out")
        }
      }
    }
    return DatasetStatistics(
      start: times.first?.description ?? "", end: times.last?.description ?? "", stepHours: stepHours,
      timeCount: times.count, channels: channels, origin: origin)
  }
}
