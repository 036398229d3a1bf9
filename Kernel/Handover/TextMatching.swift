// Comparing bytes with the kernel's own texts. (Comparing strings wants Unicode tables, which a kernel has no use for.)

/// Whether bytes spell a text.
public func matches(_ bytes: [UInt8], _ text: String) -> Bool { bytes.elementsEqual(text.utf8) }
