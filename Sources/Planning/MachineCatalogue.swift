import Basics

/// The machines that come with the program.
public enum MachineCatalogue {
  private static let files: [[UInt8]] = [
    PackageResources.horeka_a100_40_json, PackageResources.h100_json, PackageResources.h200_json,
    PackageResources.gh200_json, PackageResources.mi250x_json, PackageResources.sapphire_rapids_json,
  ]

  public static func all() throws -> [MachineDescription] {
    try files.map { try MachineDescription(json: $0, place: "catalogue") }
  }

  /// - Throws: listing the names that there are.
  public static func named(_ name: String) throws -> MachineDescription {
    let machines = try all()
    if let machine = machines.first(where: { $0.name == name }) { return machine }
    let names = machines.map(\.name)
    throw JigsawError(
      "--machine \(name)", "is neither a file nor a machine of the catalogue",
      expected: "a file of 'jigsaw bench machine', a description as docs/plan.md explains, or one of "
        + names.joined(separator: ", "),
      remedy: nearest(to: name, among: names).map { "did you mean '\($0)'?" })
  }
}
