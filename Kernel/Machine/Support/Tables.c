/* Storage that must stand at a fixed address; Swift fills it (DescriptorTables.swift). */
#include "ProcessorRecord.h"

_Alignas(64) struct processor_record processor_record;
_Alignas(64) uint64_t global_descriptors[DESCRIPTOR_COUNT];
_Alignas(64) uint8_t task_state[104];
_Alignas(4096) uint64_t interrupt_descriptors[512];
