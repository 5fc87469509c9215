import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('contacts')
export class Contact {
  @PrimaryColumn({ type: 'varchar', length: 254 })
  email!: string;

  @Column({ type: 'varchar', length: 120 })
  name!: string;

  @Column({ type: 'varchar', length: 120, nullable: true })
  company!: string | null;

  /** A day, `2024-05-31`. */
  @Column({ type: 'varchar', length: 10 })
  joined!: string;
}
