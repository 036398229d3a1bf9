/* Storage that must stand at a fixed address; Swift fills it (DescriptorTables.swift). */
#include "ProcessorRecord.h"

_Alignas(64) struct processor_record processor_record;
_Alignas(64) uint64_t global_descriptors[DESCRIPTOR_COUNT];
_Alignas(64) uint8_t task_state[104];
/* What XRSTOR and FXRSTOR load for a new program: x87 control word 0x037F, MXCSR 0x1F80, no component in use. */
_Alignas(64) const uint64_t clean_floating_point_area[CONTEXT_FLOATING_POINT_BYTE_COUNT / 8] = {0x037f, 0, 0, 0x1f80};
_Alignas(4096) uint64_t interrupt_descriptors[512];
