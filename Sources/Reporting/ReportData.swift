import Basics
import Datasets
import Geometry
import Verification

/// The contents of a report as JSON for its scripts. Values are in shown units.
enum ReportData {
  /// Training updates and wavenumbers beyond these are more than a chart shows.
  static let largestUpdates = 1_000
  static let largestSpectrumLeads = 5

  /// Everything but the maps.
  static func json(_ contents: ReportContents) -> JSONValue {
    var channels: [Channel] = []
    let named = [
      contents.scores?.channels ?? [], contents.spectra?.channels ?? [],
      contents.maps?.fields.map(\.display.channel) ?? [],
      contents.training?.validations.rmse.map(\.channel) ?? [],
    ]
    for channel in named.joined() where !channels.contains(channel) { channels.append(channel) }
    var object: [String: JSONValue] = ["channels": .array(channels.map { json(contents.display(of: $0)) })]
    if let scores = contents.scores { object["scores"] = json(scores) }
    if let spectra = contents.spectra { object["spectra"] = json(spectra) }
    if let training = contents.training { object["training"] = json(training) }
    return .object(object)
  }

  private static func json(_ display: ChannelDisplay) -> JSONValue {
    .object([
      "name": .string(display.channel.name), "variable": .string(display.channel.variable),
      "label": .string(display.label), "longName": .string(display.longName), "unit": .string(display.unit),
      "valueUnit": .string(display.valueUnit), "palette": .string(display.palette.rawValue),
      "contours": .bool(display.hasContours),
    ])
  }

  /// values[system][channel][region][metric] = [one for each lead].
  private static func json(_ scores: ScoreTable) -> JSONValue {
    var systems: [String: JSONValue] = [:]
    for system in scores.systems {
      var channels: [String: JSONValue] = [:]
      for channel in scores.channels {
        let factor = ChannelDisplay(channel).factor
        var regions: [String: JSONValue] = [:]
        for region in scores.regions {
          regions[region] = .object(
            Dictionary(
              uniqueKeysWithValues: scores.metrics.map { metric in
                let factor = metric.hasFieldUnit ? factor : 1
                return (
                  metric.name,
                  Reporting.json(
                    scores.leadHours.map { (scores[system, channel, $0, region]?[metric] ?? .nan) * factor })
                )
              }))
        }
        channels[channel.name] = .object(regions)
      }
      systems[system.rawValue] = .object(channels)
    }
    return .object([
      "channels": .array(scores.channels.map { .string($0.name) }), "leads": Reporting.json(scores.leadHours),
      "regions": .array(scores.regions.map { .string($0) }),
      "systems": .array(scores.systems.map { .string($0.rawValue) }),
      "metrics": .array(scores.metrics.map { json($0) }), "forecasts": .integer(scores.forecastCount),
      "values": .object(systems),
    ])
  }

  /// How a metric is shown.
  private static func json(_ metric: any Metric.Type) -> JSONValue {
    .object([
      "name": .string(metric.name), "label": .string(metric.label), "title": .string(metric.title),
      "note": .string(metric.note), "hasNoUnit": .bool(!metric.hasFieldUnit),
      "isSmallerBetter": .bool(metric.isSmallerBetter), "startsAtZero": .bool(metric.startsAtZero),
      "mark": metric.mark.map { .object(["y": .number($0.value), "text": $0.text.map { .string($0) } ?? .null]) }
        ?? .null,
      "meaninglessFor": .array(metric.meaninglessFor.map(\.rawValue).sorted().map { .string($0) }),
    ])
  }

  private static func json(_ spectra: SpectraTable) -> JSONValue {
    let leads = spectrumLeads(spectra.leadHours)
    func power(_ values: [SpectraTable.Key: [Double]]) -> JSONValue {
      .object(
        Dictionary(
          spectra.channels.map { channel in
            let factor = ChannelDisplay(channel).factor
            return (
              channel.name,
              .array(
                leads.map { lead in
                  Reporting.json(
                    (values[.init(channel: channel.name, leadHours: lead)] ?? []).map { $0 * factor * factor })
                })
            )
          }, uniquingKeysWith: { first, _ in first }))
    }
    return .object([
      "channels": .array(spectra.channels.map { .string($0.name) }), "leads": Reporting.json(leads),
      "model": power(spectra.model), "truth": power(spectra.truth),
    ])
  }

  /// The first, the last and whole days between.
  static func spectrumLeads(_ leads: [Int]) -> [Int] {
    guard leads.count > largestSpectrumLeads, let first = leads.first, let last = leads.last else { return leads }
    let days = leads.filter { $0 % 24 == 0 && $0 != first && $0 != last }
    let middle = MapPlan.spread(days.count, atMost: largestSpectrumLeads - 2).map { days[$0] }
    return [first] + middle + [last]
  }

  private static func json(_ training: TrainingCurves) -> JSONValue {
    let (updates, block) = training.thinned(to: largestUpdates)
    let validations = training.validations
    var rmse: [String: JSONValue] = [:]
    for (channel, values) in validations.rmse {
      let factor = ChannelDisplay(channel).factor
      rmse[channel.name] = Reporting.json(values.map { $0 * factor })
    }
    return .object([
      "block": .integer(block), "update": Reporting.json(updates.update), "loss": Reporting.json(updates.loss),
      "learningRate": Reporting.json(updates.learningRate), "gradientNorm": Reporting.json(updates.gradientNorm),
      "samplesPerSecond": Reporting.json(updates.samplesPerSecond),
      "stages": .array(training.stages.map { .object(["update": .integer($0.update), "steps": .integer($0.steps)]) }),
      "validation": .object([
        "update": Reporting.json(validations.update), "loss": Reporting.json(validations.loss), "rmse": .object(rmse),
      ]),
    ])
  }

  /// Where points are, what they weigh, and which of them each pixel [row, column] shows, −1 for none.
  static func json(_ cells: MapCells) -> JSONValue {
    .object([
      "latitudes": Reporting.json(cells.points.latitudes.map(rounded)),
      "longitudes": Reporting.json(cells.points.longitudes.map(rounded)),
      "weights": .string(base64(cells.weights.flatMap { littleEndianBytes($0) })),
      "pixels": .string(base64(cells.pointOfPixel.flatMap { littleEndianBytes(UInt32(bitPattern: $0)) })),
      "areAll": .bool(cells.areAll),
    ])
  }

  /// To a thousandth of a degree.
  private static func rounded(_ degrees: Double) -> Double { (degrees * 1_000).rounded() / 1_000 }

  /// Fields as base64; see `MapContents` for their layout.
  static func json(_ maps: MapContents) -> JSONValue {
    .object([
      "latitudes": Reporting.json(maps.grid.latitudes), "longitudes": Reporting.json(maps.grid.longitudes),
      "periodic": .bool(maps.isPeriodic), "block": .integer(maps.block), "cells": maps.cells.map(json) ?? .null,
      "initialTimes": .array(maps.initialTimes.map { .string($0.description) }),
      "leads": Reporting.json(maps.leadHours),
      "fields": .array(
        maps.fields.map { field in
          .object([
            "name": .string(field.display.channel.name),
            "lower": .number(field.forecast.lower), "step": .number(field.forecast.step),
            "errorSteps": .array(field.error.map { .number($0.step) }),
            "mean": .string(base64(field.mean.flatMap { littleEndianBytes($0) })),
            "forecast": .string(base64(field.forecastBytes)), "error": .string(base64(field.errorBytes)),
          ])
        }),
    ])
  }
}
